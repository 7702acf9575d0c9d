"""What layer-wise relevance propagation needs between the layers that a library has rules for: sums and averages."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.errors import UnsupportedError

_STABILISER = 1e-6
_SUMS: set[Any] = {torch.add, Tensor.add, Tensor.__add__, Tensor.__radd__, Tensor.add_, Tensor.__iadd__}
_PRODUCTS: set[Any] = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_, Tensor.__imul__}
_AVERAGES: set[Any] = {F.adaptive_avg_pool2d, F.avg_pool2d, torch.mean, Tensor.mean}
_NORMS: set[Any] = {F.group_norm, F.instance_norm, F.layer_norm}
_IN_PLACE: dict[Any, Any] = {Tensor.add_: torch.add, Tensor.__iadd__: torch.add}
_IN_PLACE |= {Tensor.mul_: torch.mul, Tensor.__imul__: torch.mul}


@contextmanager
def shared_relevance(network_name: str) -> Iterator[None]:
    """While a network runs inside, what goes back through its sums and averages is relevance, not gradients.

    Each term of a sum of features, and each place of an average, gets the share of the relevance that it has in the
    result, whether the network calls modules or functions. UnsupportedError naming the network where features
    multiply each other or are normalised by themselves, for which there is no rule.
    """
    with _Sharing(network_name):
        yield


class _Sharing(TorchFunctionMode):
    def __init__(self, network_name: str) -> None:
        super().__init__()
        self.network_name = network_name

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        features = [part for part in args[:2] if isinstance(part, Tensor) and part.requires_grad]
        if func in _PRODUCTS and len(features) == 2:
            what = f"the features that network {self.network_name!r} multiplies"
            raise UnsupportedError(f"LRP has no rule for {what}; attn_lrp has")
        if func in _NORMS:
            raise UnsupportedError(f"LRP has no rule for the norms of single images in network {self.network_name!r}")
        shares = len(features) == 2 if func in _SUMS else len(features) == 1 and func in _AVERAGES | _PRODUCTS
        if not shares:
            return func(*args, **options)
        plain = _IN_PLACE.get(func, func)
        fixed = [None if any(part is one for one in features) else part for part in args]
        result = _Shared.apply(partial(_call, plain, fixed, options), *features)
        return args[0].copy_(result) if func in _IN_PLACE else result


def _call(func: Callable[..., Tensor], fixed: Sequence[Any], options: dict[str, Any], *features: Tensor) -> Tensor:
    """The function of its features, put back where they were among the other arguments."""
    given = iter(features)
    return func(*(next(given) if part is None else part for part in fixed), **options)


class _Shared(torch.autograd.Function):
    """Anything linear in its features."""

    @staticmethod
    def forward(ctx: Any, function: Callable[..., Tensor], *features: Tensor) -> Tensor:
        ctx.function = function
        ctx.features = [feature.detach().clone() for feature in features]
        return function(*features)

    @staticmethod
    def backward(ctx: Any, *relevances: Tensor) -> tuple[Tensor | None, ...]:
        features = [feature.requires_grad_() for feature in ctx.features]
        with torch.enable_grad():
            result = ctx.function(*features)
            stable = result + torch.where(result < 0, -_STABILISER, _STABILISER)
            gradients = torch.autograd.grad(result, features, (relevances[0] / stable).detach())
        return None, *(feature.detach() * own for feature, own in zip(features, gradients, strict=True))
