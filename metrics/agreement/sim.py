"""Similarity: histogram intersection with the truth map."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import density
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class Sim(Metric):
    """Overlap of heatmap and truth map as distributions over pixels.

    Protocol `pysaliency`: a map with negative values is shifted to zero, then divided by its sum; `mit`: both maps are
    min-max scaled first. A map of zeros counts as uniform. Soft truth maps count as they are.
    """

    protocol: Literal["pysaliency", "mit"] = "pysaliency"
    display: ClassVar[str] = "SIM"
    question: ClassVar[str] = "How much of the map's mass lies where, and in the amount in which, the truth's does?"
    blind_spot: ClassVar[str] = "Where missing mass has gone: near or far from the object is the same."
    reference: ClassVar[str] = "Bylinskii et al., 2019, arXiv:1604.03605"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """The sum of the smaller of the two values of each pixel."""
        maps, truth = explained.heatmaps.double(), explained.truth.double()
        if self.protocol == "mit":
            maps, truth = min_max(maps), min_max(truth)
        return Scored(torch.minimum(density(maps), density(truth)).sum(1))
