"""Kullback-Leibler divergence from the truth map."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import density

EPSILON = 2.2204e-16


@dataclass(frozen=True)
class Kl(Metric):
    """Information lost when the heatmap stands for the truth map, both as distributions over pixels, in nats.

    As in the MIT toolbox and pysaliency: sum t log(eps + t / (h + eps)), eps 2.2204e-16. A map with negative values is
    shifted to zero; a map of zeros counts as uniform. Soft truth maps count as they are.
    """

    display: ClassVar[str] = "KL"
    unit: ClassVar[str] = "nats"
    question: ClassVar[str] = "Does the map give mass to everything that the truth map does?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "A sparse map is punished without measure: each zero on the object costs 36 nats of it."
    reference: ClassVar[str] = "Bylinskii et al., 2019, arXiv:1604.03605"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One divergence per image."""
        maps, truth = density(explained.heatmaps), density(explained.truth)
        return Scored((truth * (EPSILON + truth / (maps + EPSILON)).log()).sum(1).clamp_min(0))
