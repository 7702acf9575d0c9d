"""Exact map: right or not."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions


@dataclass(frozen=True)
class ExactMap(Metric):
    """1 where the map is the truth map but for its scale, 0 where it is not.

    Both count as shares of their absolute sum; up to `tolerance` of it may lie elsewhere (half of the sum of the
    absolute differences). Made for networks whose right attribution is known to the last digit: the data set `pairs`.
    """

    tolerance: float = 0.01
    unit: ClassVar[str] = "share of the images"
    question: ClassVar[str] = "Is the map right, to the last digit that matters?"
    blind_spot: ClassVar[str] = "How wrong a wrong map is, and the sign of its values."
    reference: ClassVar[str] = "Lee et al., 2025, arXiv:2506.01059; Zhang et al., 2023, arXiv:2310.06514"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """1 or 0 for each image."""
        shares, truth = fractions(explained.heatmaps.flatten(1)), fractions(explained.truth.flatten(1))
        return Scored(((shares - truth).abs().sum(1) / 2 <= self.tolerance).double())
