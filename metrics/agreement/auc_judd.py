"""AUC-Judd (Judd et al., 2009; Riche et al., 2013)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import OK, Explained, Metric, Scored
from bench.functional.ranking import rank_auc
from bench.functional.truth_maps import object_of
from bench.scoring.viewings import fixation_counts


@dataclass(frozen=True)
class AucJudd(Metric):
    """Area under the ROC curve of the heatmap as a detector of the object, or of the fixated pixels.

    `against` truth: a soft truth map is cut at half of its peak; fixations: each fixated pixel counts once.
    Protocol `exact`: the rank statistic, ties counting one half, so a constant map scores 0.5. Protocol `mit`:
    the MIT toolbox's curve, thresholds at the positive pixels only and no jitter; biased upward for few
    positives, downward for ties.
    """

    protocol: Literal["exact", "mit"] = "exact"
    against: Literal["truth", "fixations"] = "truth"
    display: ClassVar[str] = "AUC-Judd"
    question: ClassVar[str] = "Are the pixels of the object higher than the others?"
    blind_spot: ClassVar[str] = "How much higher: any map in the same order scores the same. Rewards a centre bias."
    reference: ClassVar[str] = "Judd et al., 2009; Riche et al., 2013"
    needs_truth: ClassVar[bool] = True
    chance: ClassVar[float | None] = 0.5

    @property
    def needs(self) -> tuple[bool, bool]:
        """The one that it is scored against."""
        return self.against == "truth", self.against == "fixations"

    def score(self, explained: Explained) -> Scored:
        """The area under each curve."""
        positive = object_of(explained.truth) if self.against == "truth" else fixation_counts(explained) > 0
        found = positive.flatten(1).any(1).tolist()
        left = (~positive).flatten(1).any(1).tolist()
        status = tuple(
            OK if some and rest else "no other pixels" if some else "no fixations"
            for some, rest in zip(found, left, strict=True)
        )
        if self.protocol == "exact":
            return Scored(rank_auc(explained.heatmaps, positive, ~positive), None, status)
        areas = [
            _mit_area(heatmap, hits) if text == OK else torch.nan
            for heatmap, hits, text in zip(explained.heatmaps, positive, status, strict=True)
        ]
        return Scored(torch.tensor(areas, dtype=torch.float64), None, status)


def _mit_area(heatmap: Tensor, positive: Tensor) -> float:
    """Area under the curve of one image by the trapezoid rule."""
    thresholds = heatmap[positive].double().sort(descending=True).values
    hits = torch.arange(1, len(thresholds) + 1, dtype=torch.float64, device=heatmap.device)
    above = (heatmap.double().flatten() >= thresholds[:, None]).sum(1)
    true_rate = torch.cat([hits.new_zeros(1), hits / len(hits), hits.new_ones(1)])
    false_rate = torch.cat([hits.new_zeros(1), (above - hits) / (heatmap.numel() - len(hits)), hits.new_ones(1)])
    return torch.trapezoid(true_rate, false_rate).item()
