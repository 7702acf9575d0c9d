"""Sensitivity-n (Ancona et al., 2018)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import pearson
from bench.functional.heatmaps import ranks
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked


@dataclass(frozen=True)
class SensitivityN(Metric):
    """Correlation of the attributions' sum over random pixels with the drop of the target's logit without them.

    Curve (batch, shares): for each of `shares` of the pixels, over `samples` random sets of that size, put to zero
    in normalised space; score: its mean. Every method is asked about the same sets. Signed attributions, all
    channels of a pixel together. 0 where sums or drops do not vary.
    """

    shares: tuple[float, ...] = (0.01, 0.05, 0.2, 0.5)
    samples: int = 32
    display: ClassVar[str] = "Sensitivity-n"
    unit: ClassVar[str] = "correlation"
    question: ClassVar[str] = "Do attributions add up to what their pixels do together?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Scattered single pixels: what an object as a whole does is hardly ever removed."
    reference: ClassVar[str] = "Ancona et al., 2018, arXiv:1711.06104"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each set of pixels."""
        return Cost(len(self.shares) * self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """Correlations at each share, and their mean."""
        pixels = explained.attributions.double().sum(1)
        clean = clean_outputs(explained, "logit")
        curve = []
        for share in self.shares:
            sets = list(self._sets(explained, share))
            without = outputs_while_masked(
                explained, (explained.images.masked_fill(own[:, None], 0) for own in sets), "logit"
            )
            sums = torch.stack([(pixels * own).flatten(1).sum(1) for own in sets], 1)
            curve.append(pearson(sums, clean[:, None] - without))
        return Scored(torch.stack(curve, 1).mean(1), torch.stack(curve, 1))

    def _sets(self, explained: Explained, share: float) -> Iterator[Tensor]:
        """Random sets of pixels, bool (batch, height, width), of this share of the image, one pixel at least."""
        shape = explained.heatmaps.shape[1:]
        count = max(1, round(share * shape.numel()))
        for sample in range(self.samples):
            yield ranks(explained.rng.of("sets").uniform(shape, explained.clean.double(), sample)) < count
