"""Rules for how gradients pass non-linearities backwards: guided backpropagation and guided non-linearity.

A rule replaces the backward computation of every ReLU, ReLU6 and max-pool while gradients are taken. It acts
on the operations that autograd records, so it does not matter whether a network calls modules or functions
(clamping at 0, or at 0 and 6, is one of them), works in place, or uses one module many times; and nothing is
attached to the network.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bench.errors import UnsupportedError

NonlinearityRule = Literal["plain", "guided_backprop", "gnl", "gnl_published"]
_aten = torch.ops.aten
_POOLS = (_aten.max_pool2d_with_indices_backward.default, _aten.adaptive_max_pool2d_backward.default)
_CLAMPS = ("ClampMinBackward0", "ClampBackward1")


@contextmanager
def nonlinearity(rule: NonlinearityRule, network_name: str, outputs: Tensor) -> Iterator[None]:
    """The gradients of `outputs`, taken once inside, follow the rule.

    plain: the derivative. guided_backprop (arXiv:1412.6806): after a ReLU or ReLU6 the gradient with respect to
    its input is clipped at zero. gnl (Kwon et al., ICPR 2020): that, and a max-pooling window passes its gradient
    on only where it is positive. gnl_published: the same as published, where the gradient behind a max-pool is
    multiplied by the mask of positive windows enlarged to the input's size by nearest neighbour; for windows that
    overlap or sizes that they do not divide this mask is misaligned with the windows. (The published mask is
    enlarged to height x height and so fails for maps that are not square; here it gets the input's size.)

    Raises UnsupportedError naming the network when a rule other than plain met nothing to rule.
    """
    if rule == "plain":
        yield
        return
    ruled = _Ruled(rule)
    for clamp in _clamps(outputs):
        clamp.register_hook(_clipped)
        ruled.met = True
    with ruled:
        yield
    if not ruled.met:
        raise UnsupportedError(f"network {network_name!r} has no ReLU, ReLU6 or max-pool for the rule {rule!r}")


class _Ruled(TorchDispatchMode):
    """Sees every operation of a backward pass, and carries out those of non-linearities by its rule."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # True, torch's own answer, imports its whole compiler: seconds, for a class that nobody compiles.
        return False

    def __init__(self, rule: NonlinearityRule) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.rule = rule
        self.met = False

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if _is_relu(func, args):
            self.met = True
            return func(*args, **(kwargs or {})).clamp_min_(0)
        if func in _POOLS and self.rule != "guided_backprop":
            self.met = True
            backward = _pool_as_published if self.rule == "gnl_published" else _pool
            return backward(func, *args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _clamps(outputs: Tensor) -> list[Any]:
    """The steps back from outputs that are ReLUs or ReLU6s by another name, which no operation of theirs tells."""
    seen, ahead = set(), [outputs.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            ahead += [before for before, _ in node.next_functions]
    return [node for node in seen if node.name() in _CLAMPS and _saved(node) in {(0, None), (0, 6)}]


def _saved(node: Any) -> tuple[float | None, float | None]:
    return node._saved_min, getattr(node, "_saved_max", None)


def _clipped(gradients: tuple[Tensor, ...], _: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (gradients[0].clamp_min(0), *gradients[1:])


def _is_relu(func: Any, args: tuple[Any, ...]) -> bool:
    if func is _aten.threshold_backward.default:
        return bool(args[2] == 0)
    return func is _aten.hardtanh_backward.default and tuple(args[2:4]) == (0, 6)


def _pool(func: Callable[..., Tensor], gradients: Tensor, *rest: Any) -> Tensor:
    return func(gradients.clamp_min(0), *rest)


def _pool_as_published(func: Callable[..., Tensor], gradients: Tensor, images: Tensor, *rest: Any) -> Tensor:
    positive = F.interpolate((gradients > 0).to(gradients), size=images.shape[2:], mode="nearest")
    return func(gradients, images, *rest) * positive
