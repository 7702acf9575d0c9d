"""Normalised scanpath saliency (Peters et al., 2005)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import OK, Explained, Metric, Scored
from bench.functional.correlation import deviations
from bench.scoring.viewings import fixation_counts, mean_over_viewings


@dataclass(frozen=True)
class Nss(Metric):
    """Mean height of the standardised heatmap at the fixations.

    Protocol `pysaliency`: population standard deviation, every fixation counts; `mit`: sample standard deviation,
    each fixated pixel counts once. In standard deviations; a constant map scores 0. Fixations outside are left out.
    With `viewings` of `each` every viewing is scored by itself, and the score is the mean over viewings.
    """

    protocol: Literal["pysaliency", "mit"] = "pysaliency"
    viewings: Literal["pooled", "each"] = "pooled"
    display: ClassVar[str] = "NSS"
    unit: ClassVar[str] = "standard deviations"
    question: ClassVar[str] = "Is the map high where people looked?"
    range: ClassVar[tuple[float, float]] = (-torch.inf, torch.inf)
    blind_spot: ClassVar[str] = "Everything where nobody looked, but for its mean. Rewards a centre bias."
    reference: ClassVar[str] = "Peters et al., 2005; Bylinskii et al., 2019, arXiv:1604.03605"
    needs_fixations: ClassVar[bool] = True
    chance: ClassVar[float | None] = 0.0

    def score(self, explained: Explained) -> Scored:
        """The mean over each image's fixations."""
        if self.viewings == "each":
            return Scored(mean_over_viewings(explained, lambda own: self._pooled(own).score))
        return self._pooled(explained)

    def _pooled(self, explained: Explained) -> Scored:
        heights = deviations(explained.heatmaps)
        counts = fixation_counts(explained).flatten(1).double()
        if self.protocol == "mit":
            counts = counts.clamp_max(1)
        freedom = heights.shape[1] - (self.protocol == "mit")
        spread = (heights.square().sum(1) / max(freedom, 1)).sqrt()
        spread = torch.where(spread > 0, spread, 1.0)
        status = tuple(OK if some else "no fixations" for some in (counts.sum(1) > 0).tolist())
        return Scored((heights * counts).sum(1) / counts.sum(1) / spread, None, status)
