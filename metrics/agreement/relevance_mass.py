"""Relevance mass accuracy, also known as the energy-based pointing game."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class RelevanceMass(Metric):
    """Share of the heatmap's positive mass that lies on the object.

    A soft truth map is cut at half of its peak. A map without positive mass says as little as a constant map
    and scores the same: the object's share of the image, which is also chance.
    """

    unit: ClassVar[str] = "share of the mass"
    question: ClassVar[str] = "How much of what the map shows is on the object?"
    blind_spot: ClassVar[str] = "How much of the object is covered: one pixel on it is perfect."
    reference: ClassVar[str] = "Wang et al., 2020, arXiv:1910.01279; Arras et al., 2022, arXiv:2003.07258"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """The mass on the object over the whole mass."""
        mass = fractions(explained.heatmaps.clamp_min(0).flatten(1))
        hit = object_of(explained.truth).flatten(1).double()
        return Scored((mass * hit).sum(1).where(mass.amax(1) > 0, hit.mean(1)))
