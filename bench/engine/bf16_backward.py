"""Gradients with the way back in bfloat16: the forward pass, and what every ReLU lets through, stays exact.

Of a gradient in bfloat16 the maps lie far from those in float32 (rank correlation .9) because other ReLUs are open.
Where only the way back is rounded they hardly move (.9998), and the way back is two thirds of the work.
"""

import logging
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bench.api import Network
from bench.api.module_state import HOOKS, evaluating, kept_of_networks, written_things_of
from bench.engine.folding import folded
from bench.engine.mixed_precision import is_quick_in_bf16
from bench.functional.correlation import spearman

# What maps must keep: their ranks, and the share of the difference of the outputs that they sum to.
_ALIKE, _COMPLETE = 0.999, 0.01
_IMAGES, _NODES = 2, 8
_log = logging.getLogger("heatmark")


def with_bf16_backward(network: Network, images: Tensor) -> Network:
    """The network for gradients of such images (batch, channel, height, width), its way back in bfloat16.

    One line of the log says why where it stays in float32: the processor does not compute in bfloat16, the weights are
    not in float32, or the maps of noise would have other ranks or another sum.
    """
    if not is_quick_in_bf16(images.device):
        return _as_it_is(network, "this processor does not compute in bfloat16")
    if any(own.dtype != torch.float32 for own in network.module.parameters()):
        return _as_it_is(network, "its weights are not in float32")
    module = _checked(network.module, written_things_of(network.module), images.shape[1:], images.device)
    return _as_it_is(network, "maps would differ") if module is None else replace(network, module=module)


def _as_it_is(network: Network, why: str) -> Network:
    _tell(network.name, why)
    return network


@cache
def _tell(name: str, why: str) -> None:
    """Once, and not for every batch and method."""
    _log.warning("the gradients of %s stay in fp32: %s", name, why)


@kept_of_networks
def _checked(
    module: nn.Module,
    state: tuple[object, ...],  # noqa: ARG001
    shape: torch.Size,
    device: torch.device,
) -> nn.Module | None:
    """The module, folded, with convolutions that go back in bfloat16; None where its maps are others."""
    with torch.inference_mode(False), torch.enable_grad(), evaluating(module):
        noise = torch.randn(_IMAGES, *shape, generator=torch.Generator().manual_seed(0)).to(device)
        exact = folded(Network(module), noise).module
        low = deepcopy(exact)
        for name, part in list(low.named_modules()):
            if type(part) is nn.Conv2d and _is_plain(part):
                low.set_submodule(name, _Convolution(part))
        expected, found = _along_a_path(exact, noise), _along_a_path(low, noise)
    sums, others = expected.sum((1, 2, 3)), found.sum((1, 2, 3))
    complete = ((others - sums).abs() <= _COMPLETE * expected.abs().sum((1, 2, 3))).all()
    alike = spearman(expected.sum(1).abs().flatten(1), found.sum(1).abs().flatten(1))
    return low if complete and (alike >= _ALIKE).all() else None


def _is_plain(part: nn.Conv2d) -> bool:
    hooked = any(getattr(part, kind) for kind in HOOKS)
    return part.padding_mode == "zeros" and not isinstance(part.padding, str) and not hooked


def _along_a_path(module: nn.Module, images: Tensor) -> Tensor:
    """Integrated gradients of the largest output from zero to each image, roughly."""
    alphas = (torch.arange(_NODES, device=images.device) + 0.5) / _NODES
    points = (images[:, None] * alphas[:, None, None, None]).flatten(0, 1).requires_grad_()
    (gradients,) = torch.autograd.grad(module(points).flatten(1).amax(1).sum(), points)
    maps: Tensor = gradients.unflatten(0, (len(images), _NODES)).mean(1) * images
    return maps


class _Convolution(nn.Module):
    """A convolution whose gradient of the input is computed in bfloat16."""

    def __init__(self, exact: nn.Conv2d) -> None:
        super().__init__()
        self.exact = exact
        low = exact.weight.detach().to(torch.bfloat16, memory_format=torch.channels_last)
        self.register_buffer("low", low, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """What the convolution makes of images (batch, channel, height, width)."""
        convolved: Tensor = _LowBackward.apply(images, self.exact, self.low)
        return convolved


class _LowBackward(torch.autograd.Function):
    """The forward pass of a convolution as it is, its gradient of the input in bfloat16; of the weights none."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, exact: nn.Conv2d, low: Tensor) -> Tensor:
        """Convolve, and remember what the way back needs."""
        ctx.exact, ctx.low, ctx.shape = exact, low, images.shape
        convolved: Tensor = exact(images)
        return convolved

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the images."""
        own = ctx.exact
        like = gradient.new_empty(ctx.shape, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
        settings = own.stride, own.padding, own.dilation, False, (0, 0), own.groups
        only = (True, False, False)
        given = torch.ops.aten.convolution_backward(gradient.bfloat16(), like, ctx.low, None, *settings, only)[0]
        return given.to(gradient.dtype), None, None
