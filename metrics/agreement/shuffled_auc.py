"""Shuffled AUC (Zhang et al., 2008)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import OK, Explained, Metric, Scored
from bench.functional.ranking import rank_auc
from bench.functional.truth_maps import counts_at
from bench.scoring.viewings import fixation_counts


@dataclass(frozen=True)
class ShuffledAuc(Metric):
    """Area under the ROC curve that tells this image's fixated pixels from other images' fixations.

    The exact rank statistic over the whole pool, ties counting one half: what the published random draws of
    negatives converge to. Each fixated pixel counts once, each fixation of the pool once.
    """

    display: ClassVar[str] = "Shuffled AUC"
    question: ClassVar[str] = "Is the map high where people looked in this image and not just in any image?"
    blind_spot: ClassVar[str] = "True fixations in the centre are worth little, because other images have them too."
    reference: ClassVar[str] = "Zhang et al., 2008; Borji et al., 2013"
    needs_fixations: ClassVar[bool] = True
    chance: ClassVar[float | None] = 0.5

    def score(self, explained: Explained) -> Scored:
        """The area under each curve."""
        if explained.fixation_pool is None:
            return Scored.none(["no fixation pool"] * len(explained.heatmaps))
        positive = fixation_counts(explained) > 0
        pool = counts_at(explained.fixation_pool, explained.heatmaps[0])
        if not pool.any():
            return Scored.none(["no fixation pool"] * len(explained.heatmaps))
        status = tuple(OK if some else "no fixations" for some in positive.flatten(1).any(1).tolist())
        return Scored(rank_auc(explained.heatmaps, positive, pool.expand_as(positive)), None, status)
