"""Segments of images, and what a network says of images of which parts are hidden."""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network
from bench.api.network import to_pixels
from bench.attribution.gradients import target_values
from bench.attribution.paths import queue
from bench.functional.outputs import Output


def photographs(network: Network, images: Tensor) -> list[np.ndarray]:
    """Normalised images as arrays (height, width, channel) in [0, 1], for scikit-image."""
    pixels = to_pixels(images.detach(), network.preprocess).clamp(0, 1)
    return [picture.double().cpu().permute(1, 2, 0).numpy() for picture in pixels]


def superpixels(network: Network, images: Tensor, segments: int) -> Tensor:
    """SLIC superpixels (batch, height, width), numbered from 0 without gaps; about `segments` in each image."""
    from skimage.segmentation import slic

    maps = []
    for picture in photographs(network, images):
        labels = slic(picture, n_segments=segments, channel_axis=2)
        maps.append(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))
    return torch.from_numpy(np.stack(maps)).long().to(images.device)


def values_behind_grids(
    grids: Tensor, network: Network, images: Tensor, targets: Tensor, output: Output = "logit"
) -> Tensor:
    """Each image's target output when it is multiplied by each grid (any, 1, cells, cells), (batch, grids).

    Every cell covers its part of the image evenly.
    """

    def masks(_: Tensor, numbers: Tensor) -> Tensor:
        return F.interpolate(grids[numbers], images.shape[2:])

    return _values_behind(masks, len(grids), network, images, targets, torch.zeros_like(images), output)


def values_of_coalitions(
    coalitions: list[np.ndarray],
    parts: Tensor,
    network: Network,
    images: Tensor,
    targets: Tensor,
    fills: Tensor,
    output: Output = "logit",
) -> Tensor:
    """Each image's target output for each of its coalitions of superpixels, (batch, coalitions).

    Rows of an image's `coalitions` (any, parts) say which of its `parts` are shown; the others come from `fills`, in
    the shape of `images`.
    """

    def masks(owners: Tensor, numbers: Tensor) -> Tensor:
        shown = [
            torch.from_numpy(coalitions[owner][row]).to(images)[parts[owner]]
            for owner, row in zip(owners.tolist(), numbers.tolist(), strict=True)
        ]
        return torch.stack(shown)[:, None]

    return _values_behind(masks, len(coalitions[0]), network, images, targets, fills, output)


def _values_behind(
    masks: Callable[[Tensor, Tensor], Tensor],
    count: int,
    network: Network,
    images: Tensor,
    targets: Tensor,
    fills: Tensor,
    output: Output,
) -> Tensor:
    """Each image's target output behind each of its `count` masks, (batch, count).

    NaN for what is infinite. `masks(owners, numbers)` gives (any, 1, height, width) in [0, 1]; where it hides, `fills`
    show.
    """
    values = images.new_empty(len(images), count)
    with torch.no_grad():
        for owners, numbers in queue(len(images), count, network.chunk):
            shown = masks(owners, numbers)
            points = images[owners] * shown + fills[owners] * (1 - shown)
            values[owners, numbers] = target_values(network, points, targets[owners], output)
    return values.where(values.isfinite(), torch.nan)
