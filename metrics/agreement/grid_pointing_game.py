"""GridPG: the grid pointing game (Boehle et al., 2021; Rao et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class GridPointingGame(Metric):
    """Share of the positive attribution that lies in the cell of the class that is explained.

    For mosaics (the data set `grid`), whose truth map is that cell. Attributions are summed over channels with their
    signs; negative ones do not count. Without a positive one: the cell's share of the image, which is also chance.
    """

    display: ClassVar[str] = "GridPG"
    unit: ClassVar[str] = "share of the positive attribution"
    question: ClassVar[str] = "Among images of several classes, does the map lie on the one of its class?"
    blind_spot: ClassVar[str] = "Where in the cell it lies; a network that is not sure of the class scores as chance."
    reference: ClassVar[str] = "Rao et al., 2022, arXiv:2205.10435; Boehle et al., 2021, arXiv:2104.00032"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        positive = explained.attributions.double().sum(1).clamp_min(0).flatten(1)
        cell = object_of(explained.truth).flatten(1).double()
        inside = (fractions(positive) * cell).sum(1)
        return Scored(inside.where(positive.amax(1) > 0, cell.mean(1)))
