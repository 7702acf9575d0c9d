"""Rank correlation with the truth map, against what people reach among themselves (Fel et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.correlation import spearman


@dataclass(frozen=True)
class RankCorrelation(Metric):
    """Spearman correlation of the heatmap with the truth map, over the `ceiling`.

    Ties are at their mean rank; 0 where one of the two is constant. With a `ceiling` below 1, how well the maps of two
    groups of people agree, the score says how much of that is reached: .65753 for `click_me`, whose published human
    alignment this is.
    """

    ceiling: float = 1.0
    display: ClassVar[str] = "Rank correlation"
    unit: ClassVar[str] = "rank correlation"
    question: ClassVar[str] = "Is the order of the pixels that of the truth map?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "By how much one pixel exceeds another; low pixels count as much as high ones."
    reference: ClassVar[str] = "Fel et al., 2022, arXiv:2211.04533"
    needs_truth: ClassVar[bool] = True
    chance: ClassVar[float | None] = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.ceiling <= 1:
            raise ValueError(f"ceiling {self.ceiling}: expected a correlation above 0, 1 at most")

    @property
    def bounds(self) -> tuple[float, float]:
        """A map may be nearer to the truth than people are to each other."""
        return -1 / self.ceiling, 1 / self.ceiling

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        return Scored(spearman(explained.heatmaps, explained.truth) / self.ceiling)
