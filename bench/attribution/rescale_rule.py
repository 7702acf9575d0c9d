"""DeepLIFT's rescale rule: differences from a baseline passed backwards through non-linearities.

The rule takes the place of torch's functions while a network runs, so it does not matter whether the network
calls modules or functions, works in place, uses one module many times, or lets max-pooling windows overlap.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

_SAME = 1e-10  # inputs that differ by less have the derivative in place of the quotient of differences
_IN_PLACE: dict[Any, Any] = {F.relu_: F.relu, torch.relu_: F.relu, Tensor.relu_: F.relu}
_UNITS: set[Any] = {
    *(F.relu, torch.relu, Tensor.relu, F.relu6, F.hardtanh, F.leaky_relu, F.elu, F.selu, F.celu, F.softplus),
    *(F.gelu, F.silu, F.mish, F.hardswish, F.hardsigmoid),
    *(F.sigmoid, torch.sigmoid, Tensor.sigmoid, F.tanh, torch.tanh, Tensor.tanh),
}
_PRODUCTS: set[Any] = {torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, Tensor.mul_, Tensor.__imul__}
_POOLS: dict[Any, Any] = {
    F.max_pool2d: F.max_pool2d,
    torch.max_pool2d: F.max_pool2d,
    F.adaptive_max_pool2d: F.adaptive_max_pool2d,
}


@contextmanager
def rescaled() -> Iterator[None]:
    """Inside, a network takes images and then, in the same batch, their baselines, and gradients follow the rule.

    The gradient of an output with respect to the images is what the rule multiplies their differences from the
    baselines by (Shrikumar et al., 2017, arXiv:1704.02685): at an elementwise non-linearity the difference behind
    it over the difference before it. A max-pooling window shares its difference between the places of its two
    maxima, as Captum and SHAP do where windows do not overlap: what lies above the baseline's maximum goes to the
    image's place, what lies below to the baseline's. Where features multiply each other, each gets its own difference
    times the mean of the other. Gradients with respect to the baselines are zero.
    """
    with _Rescaled():
        yield


class _Rescaled(TorchFunctionMode):
    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        unit = _IN_PLACE.get(func, func)
        made_from_images = bool(args) and isinstance(args[0], Tensor) and args[0].requires_grad
        if unit in _UNITS and made_from_images:
            in_place = options.pop("inplace", False) or func in _IN_PLACE
            result = _Unit.apply(args[0], partial(_call, unit, args[1:], options))
            return args[0].copy_(result) if in_place else result
        if func in _POOLS and made_from_images and not options.get("return_indices"):
            return _Pool.apply(args[0], partial(_call, _POOLS[func], args[1:], options | {"return_indices": True}))
        if func in _PRODUCTS and all(isinstance(part, Tensor) and part.requires_grad for part in args):
            result = _Product.apply(*args)
            return args[0].copy_(result) if func in {Tensor.mul_, Tensor.__imul__} else result
        return func(*args, **options)


def _call(func: Callable[..., Any], rest: Sequence[Any], options: dict[str, Any], given: Tensor) -> Any:
    return func(given, *rest, **options)


class _Unit(torch.autograd.Function):
    """An elementwise non-linearity."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        result = function(given)
        own = given.chunk(2)[0].detach().requires_grad_()
        with torch.enable_grad():
            (slopes,) = torch.autograd.grad(function(own).sum(), own)
        before, behind = _difference(given), _difference(result)
        ctx.save_for_backward(torch.where(before.abs() < _SAME, slopes, behind / before))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (quotients,) = ctx.saved_tensors
        return _of_images(gradients[0].chunk(2)[0] * quotients), None


class _Pool(torch.autograd.Function):
    """Max-pooling, whose `function` returns the maxima and their places."""

    @staticmethod
    def forward(ctx: Any, given: Tensor, function: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
        result, places = function(given)
        ctx.save_for_backward(_difference(given), result, places)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        before, result, places = ctx.saved_tensors
        multipliers = gradients[0].chunk(2)[0]
        own, base = result.chunk(2)
        own_places, base_places = places.chunk(2)
        higher = torch.maximum(own, base)
        shares = _put(multipliers * (higher - base), own_places, before)
        shares += _put(multipliers * (own - higher), base_places, before)
        slopes = _put(multipliers, own_places, before)
        return _of_images(torch.where(before.abs() < _SAME, slopes, shares / before)), None


class _Product(torch.autograd.Function):
    """Two features multiplied, place by place or one of them for many places."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        ctx.save_for_backward(*(torch.stack(given.chunk(2)).mean(0) for given in (first, second)))
        return first * second

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        first, second = ctx.saved_tensors
        multipliers = gradients[0].chunk(2)[0]
        return (
            _of_images((multipliers * second).sum_to_size(first.shape)),
            _of_images((multipliers * first).sum_to_size(second.shape)),
        )


def _put(values: Tensor, places: Tensor, like: Tensor) -> Tensor:
    """Values added up at their places in maps of the shape of `like`."""
    flat = torch.zeros_like(like).flatten(2)
    return flat.scatter_add_(2, places.flatten(2), values.flatten(2)).reshape(like.shape)


def _difference(both: Tensor) -> Tensor:
    images, baselines = both.chunk(2)
    return images - baselines


def _of_images(gradients: Tensor) -> Tensor:
    """Gradients of the images, and zero for the baselines."""
    return torch.cat([gradients, torch.zeros_like(gradients)])
