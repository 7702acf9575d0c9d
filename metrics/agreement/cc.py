"""Linear correlation with the truth map."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench.api import Explained, Metric, Scored
from bench.functional.correlation import pearson
from bench.scoring.viewings import mean_over_viewings


@dataclass(frozen=True)
class Cc(Metric):
    """Pearson correlation of the heatmap with the truth map.

    Soft truth maps count as they are. 0 where one of the two is constant. With `viewings` of `each` the truth is the
    gaze of one viewing after another, drawn from its fixations, and the score the mean over viewings.
    """

    viewings: Literal["pooled", "each"] = "pooled"
    display: ClassVar[str] = "CC"
    unit: ClassVar[str] = "correlation"
    question: ClassVar[str] = "Does the heatmap rise and fall with the truth map?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Scale and offset; a few very high pixels decide it."
    reference: ClassVar[str] = "Bylinskii et al., 2019, arXiv:1604.03605"
    needs_truth: ClassVar[bool] = True
    chance: ClassVar[float | None] = 0.0

    @property
    def needs(self) -> tuple[bool, bool]:
        """Fixations where the truth is drawn from them."""
        return self.viewings == "pooled", self.viewings == "each"

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        if self.viewings == "each":
            return Scored(mean_over_viewings(explained, _cc))
        return Scored(_cc(explained))


def _cc(explained: Explained) -> Tensor:
    return pearson(explained.heatmaps, explained.truth)
