"""Adversarial changes of an image that move its gradient map and leave its prediction (Ghorbani et al., 2019).

The gradient map of a piecewise linear network is piecewise constant, so the attack climbs on a copy whose ReLUs are
softplus, as published; whether the prediction holds is asked of the network itself.
"""

import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from bench.api import Explained, Network
from bench.api.network import pixel_scale, to_pixels
from bench.engine import logits_in_chunks
from bench.functional.outputs import predictions

# What to increase: maps and the maps before, (batch, height, width) with sum 1, to one number per image.
Objective = Callable[[Tensor, Tensor], Tensor]


def attacked(
    explained: Explained, objective: Objective, radius: float, step: float, steps: int
) -> tuple[Tensor, Tensor]:
    """The images (batch, channel, height, width) of the highest objective, and whether there was any slope to climb.

    Iterated signed steps of `step` within +-`radius` of every pixel value, from a random start one step away; an
    image stays as it is where every change that was tried also changed the prediction, and is NaN where one had outputs
    that are no numbers.
    """
    network, originals = explained.network, explained.images
    smooth = replace(network, module=smoothed(network.module))
    scale = pixel_scale(originals, network.preprocess)
    low, high = _bounds(explained, radius)
    before = _gradient_maps(smooth, originals, explained.targets).detach()
    images = best = originals
    highest = before.new_full((len(images),), -torch.inf)
    sloped = torch.zeros_like(highest, dtype=torch.bool)
    answered = torch.ones_like(sloped)
    towards = explained.rng.of("attack").uniform(images.shape[1:], images) * 2 - 1
    for _ in range(steps):
        images = (images + step / scale * towards.sign()).clamp(low, high).requires_grad_()
        heights = objective(_gradient_maps(smooth, images, explained.targets), before)
        towards = _slope(heights, images)
        sloped |= towards.flatten(1).any(1)
        images, heights = images.detach(), heights.detach()
        found = predictions(logits_in_chunks(network, images))
        holds = found == predictions(explained.clean)
        answered &= found >= 0
        better = holds & (heights > highest)
        highest = torch.where(better, heights, highest)
        best = torch.where(better[:, None, None, None], images, best)
    return best.where(answered[:, None, None, None], torch.nan), sloped


def off_the_top(top: Tensor) -> Objective:
    """Less mass on the pixels where `top` (batch, height, width) is one."""
    return lambda maps, _: -(maps * top).flatten(1).sum(1)


def off_centre(maps: Tensor, before: Tensor) -> Tensor:
    """The squared distance between the centres of mass."""
    return (_centre(maps) - _centre(before)).square().sum(1)


def smoothed(module: nn.Module, sharpness: float = 20.0) -> nn.Module:
    """A copy of the module in evaluation mode with softplus for every ReLU module."""
    smooth = copy.deepcopy(module).eval().requires_grad_(False)
    for parent in list(smooth.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Softplus(sharpness))
            elif isinstance(child, nn.ReLU6):
                setattr(parent, name, nn.Sequential(nn.Softplus(sharpness), nn.Hardtanh(-torch.inf, 6.0)))
    return smooth


def _gradient_maps(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Sums over channels of |gradient of the target's logit|, over their sum, with their graph."""
    watched = images if images.requires_grad else images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(network.logits_of(watched, targets).sum(), watched, create_graph=True)
    maps = gradients.abs().sum(1)
    return maps / maps.flatten(1).sum(1).clamp_min(torch.finfo(maps.dtype).tiny)[:, None, None]


def _slope(heights: Tensor, images: Tensor) -> Tensor:
    """The gradient of the heights; zero for a network so linear that its gradients depend on nothing."""
    if not heights.requires_grad:
        return torch.zeros_like(images)
    (slope,) = torch.autograd.grad(heights.sum(), images, allow_unused=True, materialize_grads=True)
    return slope


def _bounds(explained: Explained, radius: float) -> tuple[Tensor, Tensor]:
    """The lowest and highest normalised values: near the image, and inside the pixel range unless it already is not."""
    preprocess, images = explained.network.preprocess, explained.images
    pixels, scale = to_pixels(images, preprocess), pixel_scale(images, preprocess)
    low = torch.maximum(pixels - radius, pixels.clamp_max(0))
    high = torch.minimum(pixels + radius, pixels.clamp_min(1))
    return images + (low - pixels) / scale, images + (high - pixels) / scale


def _centre(maps: Tensor) -> Tensor:
    """Row and column (batch, 2) of the centres of mass, as shares of the sides."""
    rows = torch.linspace(0, 1, maps.shape[1], dtype=maps.dtype, device=maps.device)
    columns = torch.linspace(0, 1, maps.shape[2], dtype=maps.dtype, device=maps.device)
    return torch.stack([(maps.sum(2) * rows).sum(1), (maps.sum(1) * columns).sum(1)], 1)
