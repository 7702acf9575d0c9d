"""IROF: iterative removal of features (Rieger & Hansen, 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.attribution.superpixels import superpixels
from bench.functional.heatmaps import ranks
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import without_first


@dataclass(frozen=True)
class Irof(Metric):
    """Area over the curve of the target's probability while superpixels are removed, the highest on average first.

    About `segments` superpixels (SLIC) of the image, each replaced by the image's mean colour. Curve (batch, 51): the
    probability over that of the untouched image, at even shares of the superpixels; score: one minus the area under
    the whole curve by the trapezoid rule. Superpixels of equal mean go in random order.
    """

    segments: int = 300
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "IROF"
    unit: ClassVar[str] = "share of the probability"
    question: ClassVar[str] = "Is the prediction lost as soon as the regions that the map calls important are gone?"
    range: ClassVar[tuple[float, float]] = (-torch.inf, 1.0)
    blind_spot: ClassVar[str] = "Anything finer than a superpixel, whose borders decide what is removed together."
    reference: ClassVar[str] = "Rieger & Hansen, 2020, arXiv:2003.08747"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each superpixel: about `segments`."""
        return Cost(self.segments, 0)

    def score(self, explained: Explained) -> Scored:
        """The area over each curve."""
        regions = superpixels(explained.network, explained.images, self.segments)
        counts = regions.flatten(1).amax(1) + 1
        turn = _turns(explained, regions)
        clean = clean_outputs(explained, "probability")
        shown = without_first(explained.images, turn, explained.images.mean((2, 3), keepdim=True))
        curve = torch.cat([clean[:, None], outputs_while_masked(explained, shown, "probability")], 1) / clean[:, None]
        inside = torch.arange(curve.shape[1] - 1, device=curve.device) < counts[:, None]
        area = ((curve[:, :-1] + curve[:, 1:]) / 2 * inside).sum(1) / counts
        return Scored(1 - area, _resampled(curve, counts))


def _turns(explained: Explained, regions: Tensor) -> Tensor:
    """At which step, from 0, each pixel is removed, (batch, height, width)."""
    flat, heights = regions.flatten(1), explained.heatmaps.double().flatten(1)
    sums, sizes = torch.zeros_like(heights), torch.zeros_like(heights)
    sums.scatter_add_(1, flat, heights)
    sizes.scatter_add_(1, flat, torch.ones_like(heights))
    means = torch.where(sizes > 0, sums / sizes.clamp_min(1), -torch.inf)
    noise = explained.rng.of("ties").uniform((1, means.shape[1]), means)
    return ranks(means[:, None], noise)[:, 0].gather(1, flat).reshape(regions.shape)


def _resampled(curves: Tensor, counts: Tensor, points: int = 51) -> Tensor:
    """Curves of `counts` steps each at even shares of their steps, linear in between."""
    places = torch.linspace(0, 1, points, dtype=curves.dtype, device=curves.device) * counts[:, None]
    below = places.floor().long().clamp_max(counts[:, None] - 1)
    low, high = curves.gather(1, below), curves.gather(1, below + 1)
    return low + (high - low) * (places - below)
