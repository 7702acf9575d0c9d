"""Relevance rank accuracy (Arras et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import share_in_top
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class RelevanceRank(Metric):
    """Share of the object's area that the equally many highest pixels cover.

    Expected over a random order of ties. A soft truth map is cut at half of its peak. Chance is the object's share of
    the image, which is also what a constant map scores.
    """

    unit: ClassVar[str] = "share of the pixels"
    question: ClassVar[str] = "Given as many pixels as the object has, does the map pick the object's?"
    blind_spot: ClassVar[str] = "The order within the object, and how much higher it is than the rest."
    reference: ClassVar[str] = "Arras et al., 2022, arXiv:2003.07258"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """The expected overlap over the object's area."""
        hit = object_of(explained.truth)
        area = hit.flatten(1).sum(1)
        return Scored((share_in_top(explained.heatmaps, area) * hit).flatten(1).sum(1) / area)
