"""Gini index (Hurley & Rickard, 2009)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import gini


@dataclass(frozen=True)
class Gini(Metric):
    """Gini index of the heatmap's absolute values.

    0 when all pixels are equal, 1 - 1/pixels when one holds everything. An all-zero map, for which the index
    is not defined, is scored as the constant map that it is: 0.
    """

    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Is the heatmap concentrated on few pixels?"
    blind_spot: ClassVar[str] = "Whether they are the right pixels: a map with one random pixel is perfect."
    reference: ClassVar[str] = "Hurley & Rickard, 2009, arXiv:0811.4706"
    chance: ClassVar[float | None] = 1 / 3

    def score(self, explained: Explained) -> Scored:
        """The index of each heatmap."""
        return Scored(gini(explained.heatmaps.flatten(1)))
