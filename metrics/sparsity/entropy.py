"""Entropy of the heatmap (complexity of Bhatt et al., 2020)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions


@dataclass(frozen=True)
class Entropy(Metric):
    """Entropy of the heatmap's absolute values as a distribution over pixels, over its highest possible value.

    0 when one pixel holds everything, 1 when all are equal; an all-zero map is scored as the constant map that it
    is: 1. The published complexity is this times log(pixels), in nats.
    """

    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Over how many pixels is the heatmap spread?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "Whether they are the right pixels, and where they lie."
    reference: ClassVar[str] = "Bhatt et al., 2020, arXiv:2005.00631"

    def score(self, explained: Explained) -> Scored:
        """One entropy per image."""
        mass = fractions(explained.heatmaps.flatten(1))
        entropy = -torch.xlogy(mass, mass).sum(1) / max(math.log(mass.shape[1]), torch.finfo(torch.float64).tiny)
        return Scored(torch.where((mass > 0).sum(1) == 0, 1.0, entropy).clamp(0, 1))
