"""AttnLRP: relevance passed backwards through a transformer by changing its gradients, not its outputs.

With the epsilon rule for linear layers relevance is a tensor times its gradient, and each rule is a change of the
gradient alone. The rules take the place of torch's functions while a network runs, so it does not matter whether it
calls modules or functions.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.attribution.attention import attention_scores
from bench.errors import UnsupportedError

_SMALLEST = 1e-9
_IN_PLACE: dict[Any, Any] = {F.relu_: F.relu, torch.relu_: F.relu, Tensor.relu_: F.relu}
_UNITS: set[Any] = {F.relu, torch.relu, Tensor.relu, F.relu6, F.leaky_relu, F.gelu, F.silu, F.mish, F.hardswish}
_GATES: set[Any] = {torch.sigmoid, Tensor.sigmoid, F.sigmoid, F.hardsigmoid}
_PRODUCTS: set[Any] = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, torch.matmul, Tensor.matmul}
_PRODUCTS |= {Tensor.__matmul__, torch.bmm, Tensor.bmm}
_LINEAR: set[Any] = {F.linear, F.conv1d, F.conv2d}
_WITHOUT_RULE: dict[Any, str] = {
    **dict.fromkeys((torch.div, Tensor.div, Tensor.__truediv__), "features divided by features"),
    **dict.fromkeys((torch.einsum, torch.baddbmm), "this way of writing products"),
    **dict.fromkeys((Tensor.mul_, Tensor.__imul__), "products in place"),
    **dict.fromkeys((torch.tanh, Tensor.tanh, F.elu, F.selu, F.celu, F.softplus, torch.exp, Tensor.exp), "its units"),
    **dict.fromkeys((F.instance_norm, F.local_response_norm), "its norms"),
}
_OF_TWO = {torch.div, Tensor.div, Tensor.__truediv__, torch.einsum, torch.baddbmm, Tensor.mul_, Tensor.__imul__}


@contextmanager
def relevance_in_gradients(network_name: str, gamma: float = 0.0) -> Iterator[None]:
    """While a network runs inside, a tensor times its gradient is its relevance (Achtibat et al., 2024).

    Linear layers, sums and averages by the epsilon rule, and a softmax by its Taylor term: their gradients as they are.
    A ReLU, GELU or SiLU passes relevance on as it is; the deviation of a layer or group norm, and a gate that is a
    sigmoid, count as constants; two features that are multiplied get half each. UnsupportedError naming the network
    where it does what no rule is for. With `gamma` linear layers and convolutions follow the gamma rule: what speaks
    for an output counts 1 + gamma times (Montavon et al., 2019; by the sign of the output, as zennit has it).
    """
    with patch.object(F, "scaled_dot_product_attention", _attention(network_name)), _Rules(network_name, gamma):
        yield


class _Rules(TorchFunctionMode):
    def __init__(self, network_name: str, gamma: float) -> None:
        super().__init__()
        self.network_name, self.gamma = network_name, gamma

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        flat = [own for part in args for own in (part if isinstance(part, list | tuple) else [part])]
        features = sum(isinstance(part, Tensor) and part.requires_grad for part in flat)
        if func in _WITHOUT_RULE and features > (func in _OF_TWO):
            raise _no_rule(self.network_name, _WITHOUT_RULE[func])
        if func is F.multi_head_attention_forward and options.get("need_weights", True):
            raise _no_rule(self.network_name, "attention modules that return their weights")
        if func is F.multi_head_attention_forward and self.gamma:
            with patch.object(F, "linear", partial(_by_gamma, F.linear, self.gamma)):
                return func(*args, **options)
        if func in _LINEAR and self.gamma and features:
            return _by_gamma(func, self.gamma, *args, **options)
        if func in _UNITS or func in _IN_PLACE:
            in_place = options.pop("inplace", False) or func in _IN_PLACE
            result = _unit(_IN_PLACE.get(func, func)(*args, **options), args[0])
            return args[0].copy_(result) if in_place else result
        if func in _GATES:
            return func(*args, **options).detach()
        if func is F.layer_norm:
            return _layer_norm(*args, **options)
        if func is F.group_norm:
            return _group_norm(*args, **options)
        if func is F.normalize:
            return args[0] * (func(*args, **options) / _away_from_zero(args[0])).detach()
        if func in _PRODUCTS and features == 2:
            return func(*(_half(part) for part in args), **options)
        return func(*args, **options)


def _no_rule(network_name: str, what: str) -> UnsupportedError:
    return UnsupportedError(f"AttnLRP has no rule for {what} in network {network_name!r}")


def _half(given: Tensor) -> Tensor:
    """The same with half of its gradient."""
    return given.detach() + (given - given.detach()) / 2


def _unit(result: Tensor, given: Tensor) -> Tensor:
    """The result of a unit that passes relevance on as it is."""
    passed: Tensor = given * (result / _away_from_zero(given)).detach()
    return result.detach() + passed - passed.detach()


def _away_from_zero(values: Tensor) -> Tensor:
    return torch.where(values.abs() < _SMALLEST, _SMALLEST, values)


def _by_gamma(
    function: Any, gamma: float, given: Tensor, weight: Tensor, bias: Tensor | None = None, *rest: Any, **options: Any
) -> Tensor:
    """What a linear layer makes of its input, its gradient that of the gamma rule."""
    plain: Tensor = function(given, weight, bias, *rest, **options)
    above, below = given.clamp_min(0), given.clamp_max(0)
    (weight_up, bias_up), (weight_down, bias_down) = (
        [None if own is None else own + gamma * own.clamp(*ends) for own in (weight, bias)]
        for ends in ((0, None), (None, 0))
    )
    high = function(above, weight_up, bias_up, *rest, **options) + function(below, weight_down, None, *rest, **options)
    low = function(above, weight_down, bias_down, *rest, **options) + function(below, weight_up, None, *rest, **options)
    used = torch.where(plain > 0, high, low)
    passed: Tensor = used * (plain / _away_from_zero(used)).detach()
    return plain.detach() + passed - passed.detach()


def _layer_norm(
    given: Tensor, shape: Sequence[int], weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    dims = tuple(range(-len(shape), 0))
    centred = given - given.mean(dims, keepdim=True)
    result = centred / (centred.square().mean(dims, keepdim=True) + eps).sqrt().detach()
    scaled = result if weight is None else result * weight
    return scaled if bias is None else scaled + bias


def _group_norm(
    given: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    grouped = given.unflatten(1, (groups, -1))
    result = _layer_norm(grouped, grouped.shape[2:], eps=eps).view(given.shape)
    along = (-1, *(1,) * (given.ndim - 2))
    scaled = result if weight is None else result * weight.view(along)
    return scaled if bias is None else scaled + bias.view(along)


def _attention(network_name: str) -> Any:
    """Attention by the rules, in the place of torch's own."""

    def attention(
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        if is_causal or enable_gqa or dropout_p:
            raise _no_rule(network_name, "causal or grouped attention")
        with torch._C.DisableTorchFunction():  # its products are halved here
            matrix = attention_scores(_half(query), _half(key), attn_mask, scale).softmax(-1)
            return _half(matrix) @ _half(value)

    return attention
