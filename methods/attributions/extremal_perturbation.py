"""The smooth mask of a given area that keeps most of the target's logit."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.blur_path import BlurPath
from bench.attribution.gradients import target_values
from bench.attribution.paths import queue
from bench.functional.heatmaps import Reduction

AREAS = (0.025, 0.05, 0.1, 0.2)
LEVELS = 8  # blurs between which a mask chooses
REACH = 4  # of a point of the mask, in cells, about three of which are its sigma
COLDNESS = 20.0  # of the smooth maximum
PRESSURE, GROWTH = 300.0, 1.0035  # of the area, at first and from step to step


@dataclass(frozen=True)
class ExtremalPerturbation(Attribution):
    """Masks of 2.5, 5, 10 and 20% of the image, found by gradient steps, behind which the target's logit is largest.

    A mask is the smooth maximum of bumps on a grid of cells of 7 of 224 pixels, which shrink and grow with the image;
    where it is 1 the image shows, where it is less a blurred version, of up to `blur` pixels, zero beyond the borders.
    Sorted, it shall be 0 and then 1 for the area; SGD (rate 0.01, momentum 0.9), every other step on the mirrored
    image. The mean of the four masks, neither smoothed nor with the published code's margin. One channel, in [0, 1].
    """

    display: ClassVar[str] = "Extremal perturbation"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float32"
    reference: ClassVar[str] = "Fong et al., 2019, arXiv:1910.08485"

    reduction: Reduction = "sum"
    steps: int = 800
    blur: float = 20.0

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean masks (batch, 1, height, width)."""
        images = request.images
        sigmas = BlurPath(self.blur, LEVELS - 1).sigmas().flip(0).to(images.device)
        versions = torch.stack([BlurPath().blurred(image.expand(LEVELS, -1, -1, -1), sigmas) for image in images])
        areas = images.new_tensor(AREAS)
        masks = images.new_empty(len(images), len(areas), *images.shape[2:])
        for owners, number in queue(len(images), len(areas), network.chunk):
            found = self._masks(network, versions[owners], request.targets[owners], areas[number])
            masks[owners, number] = found[:, 0]
        return masks.mean(1, keepdim=True)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per step and area."""
        return Cost(self.steps * len(AREAS), self.steps * len(AREAS))

    def _masks(self, network: Network, versions: Tensor, targets: Tensor, areas: Tensor) -> Tensor:
        """The masks (any, 1, height, width) of these areas (any,) of images (any, levels, channel, height, width)."""
        height, width = versions.shape[3:]
        cell = max(1, round(7 * (height * width) ** 0.5 / 224))
        bumps = _bumps(height, width, cell, versions)
        wanted = (torch.arange(height * width).to(areas) >= height * width * (1 - areas[:, None])).to(areas)
        points = areas.new_ones(len(areas), 1, -(-height // cell), -(-width // cell))
        optimiser = torch.optim.SGD([points], lr=0.01, momentum=0.9, dampening=0.9)
        for step in range(self.steps):
            masks = torch.cat([_smooth_maximum(own, bumps, cell) for own in points.split(1)]).requires_grad_()
            shown = _between(versions, masks)
            values = target_values(network, shown.flip(3) if step % 2 == 0 else shown, targets)
            misfit = (_ascending(masks) - wanted).square().mean(1)
            (pull,) = torch.autograd.grad((PRESSURE * GROWTH**step * misfit - values).sum(), masks)
            pulls = zip(points.split(1), pull.split(1), strict=True)
            points.grad = torch.cat([_pull_on_points(own, bumps, cell, part) for own, part in pulls])
            optimiser.step()
            points.clamp_(0, 1)
        return torch.cat([_smooth_maximum(own, bumps, cell) for own in points.split(1)])


def _ascending(masks: Tensor) -> Tensor:
    """The values of masks (any, 1, height, width) in ascending order, (any, pixels), equal ones from the upper left.

    Those that are nearly equal count as equal: by rounding alone their order would hang on the other images of a batch.
    """
    flat = masks.flatten(1)
    return flat.gather(1, (flat.detach() * 1e4).round().argsort(dim=1, stable=True))


def _bumps(height: int, width: int, cell: int, like: Tensor) -> Tensor:
    """How much each pixel sees of the points of the cells around its own, (cells around, height, width)."""
    around = torch.arange(-REACH, REACH + 1, dtype=torch.float64) * cell
    down, across = (
        around[:, None] + (cell - 1) / 2 - (torch.arange(size, dtype=torch.float64) % cell) for size in (height, width)
    )
    distances = (down[:, None, :, None] ** 2 + across[None, :, None, :] ** 2).sqrt() / (3 * cell)
    return torch.exp(-2 * (distances - 0.5).clamp_min(0) ** 2).flatten(0, 1).to(like)


def _smooth_maximum(points: Tensor, bumps: Tensor, cell: int) -> Tensor:
    """The mask (1, 1, height, width) of points (1, 1, rows, columns): their bumps weighted by a softmax of these."""
    height, width = bumps.shape[1:]
    seen = F.unfold(points, 2 * REACH + 1, padding=REACH).unflatten(2, points.shape[2:])
    seen = seen.repeat_interleave(cell, 2).repeat_interleave(cell, 3)[:, :, :height, :width] * bumps
    mask: Tensor = (seen * (COLDNESS * seen).softmax(1)).sum(1, keepdim=True)
    return mask


def _pull_on_points(points: Tensor, bumps: Tensor, cell: int, pull: Tensor) -> Tensor:
    """The gradient with respect to points of what has the gradient `pull` with respect to their mask.

    For one mask at a time: its bumps take as much memory as eighty images.
    """
    points = points.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(_smooth_maximum(points, bumps, cell), points, pull)
    return gradients


def _between(versions: Tensor, masks: Tensor) -> Tensor:
    """Images (any, channel, height, width) blurred where masks say, linearly between two of `versions`."""
    places = (LEVELS - 1) * masks
    lower = places.detach().nan_to_num().floor().clamp(0, LEVELS - 2)
    number = lower.long()[:, None].expand(-1, -1, *versions.shape[2:])
    first, second = versions.gather(1, number)[:, 0], versions.gather(1, number + 1)[:, 0]
    return first + (places - lower) * (second - first)
