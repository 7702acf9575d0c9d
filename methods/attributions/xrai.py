"""Regions ranked by the attributions inside them."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.api.network import from_pixels
from bench.attribution.paths import integrated_gradients, quadrature
from bench.attribution.superpixels import photographs
from bench.functional.heatmaps import Reduction

SCALES = (50, 100, 150, 250, 500, 1200)


@dataclass(frozen=True)
class Xrai(Attribution):
    """Regions added one by one, the highest mean attribution first (XRAI).

    Integrated gradients from a black and from a white image, averaged and summed over channels; overlapping regions
    by Felzenszwalb's segmentation at six scales (sigma 0.8), grown by a disk; a pixel gets the mean attribution of
    the part that its region added. Sizes are published for 224 x 224 pixels (regions of at least 150, growing
    by 5, adding at least 50) and shrink and grow with the image here. One channel. The published code takes the
    maximum over channels where the paper sums.
    """

    display: ClassVar[str] = "XRAI"
    reference: ClassVar[str] = "Kapishnikov et al., 2019, arXiv:1906.02825"

    reduction: Reduction = "sum"
    nodes: int = 50

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean attributions of regions (batch, 1, height, width)."""
        images = request.images
        attributions = torch.zeros_like(images)
        for level in (0.0, 1.0):
            baselines = from_pixels(torch.full_like(images, level), network.preprocess)
            nodes = quadrature("gauss_legendre", self.nodes)
            attributions += integrated_gradients(network, images, request.targets, baselines, nodes) / 2
        relevance = attributions.sum(1).double().cpu().numpy()
        pictures = photographs(network, images)
        maps = [_ranked(own, _regions(picture)) for own, picture in zip(relevance, pictures, strict=True)]
        return torch.from_numpy(np.stack(maps)).to(images)[:, None]

    def cost(self, network: Network, request: Request) -> Cost:
        """Two integrated gradients."""
        return Cost(2 * self.nodes, 2 * self.nodes)


def _regions(picture: np.ndarray) -> np.ndarray:
    """Overlapping regions (any, height, width), bool, of an image (height, width, channel) in [0, 1]."""
    from skimage.morphology import dilation
    from skimage.segmentation import felzenszwalb

    area = _area(picture.shape)
    radius = round(5 * area**0.5)
    disk = np.hypot(*np.mgrid[-radius : radius + 1, -radius : radius + 1]) <= radius
    regions = []
    for scale in SCALES:
        segments = felzenszwalb(
            picture * 2 - 1, scale=scale, sigma=0.8, min_size=max(1, round(150 * area)), channel_axis=2
        )
        regions += [dilation(segments == number, disk) for number in range(segments.max() + 1)]
    return np.stack(regions)


def _ranked(relevance: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """Each pixel's mean relevance of the part with which its region was added, greedily from the highest."""
    least = max(1, round(50 * _area(relevance.shape)))
    flat, members = relevance.ravel(), regions.reshape(len(regions), -1)
    uncovered = np.ones(len(flat), dtype=bool)
    sizes, sums = members.sum(1), members @ flat
    result = np.empty_like(flat)
    while (sizes >= least).any():
        gains = np.where(sizes >= least, sums / np.maximum(sizes, 1), -np.inf)
        best = int(gains.argmax())
        added = members[best] & uncovered
        result[added] = gains[best]
        uncovered &= ~added
        sizes = sizes - members[:, added].sum(1)
        sums = sums - members[:, added] @ flat[added]
    if uncovered.any():
        result[uncovered] = flat[uncovered].mean()
    return result.reshape(relevance.shape)


def _area(shape: tuple[int, ...]) -> float:
    """The area of an image in units of the published 224 x 224 pixels."""
    return shape[0] * shape[1] / 224**2
