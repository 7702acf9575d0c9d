"""Dice score of the highest pixels of the heatmap and of the truth map (Fel et al., 2022)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import share_in_top


@dataclass(frozen=True)
class Dice(Metric):
    """Share of the highest pixels of the heatmap that are among the highest of the truth map.

    The `share` of each map's pixels that is above its percentile, equally many of both. Pixels tied at the edge share
    what is left, as expected under a random order. Chance is `share`.
    """

    share: float = 0.1
    unit: ClassVar[str] = "share of the pixels"
    question: ClassVar[str] = "Are the highest pixels those of the truth map?"
    blind_spot: ClassVar[str] = "All pixels below the cut, and the order of those above it."
    reference: ClassVar[str] = "Fel et al., 2022, arXiv:2211.04533"
    needs_truth: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share {self.share}: expected a share between 0 and 1")

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        pixels = explained.heatmaps[0].numel()
        # As many as lie above the percentile, which is interpolated between two pixels.
        count = max(1, pixels - 1 - math.floor((1 - self.share) * (pixels - 1)))
        counts = torch.full((len(explained.heatmaps),), count, device=explained.heatmaps.device)
        both = share_in_top(explained.heatmaps, counts) * share_in_top(explained.truth, counts)
        return Scored(both.flatten(1).sum(1) / count)
