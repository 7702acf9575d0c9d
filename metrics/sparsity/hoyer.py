"""Hoyer's sparseness (2004)."""

import math
from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions


@dataclass(frozen=True)
class Hoyer(Metric):
    """(sqrt(n) - L1 / L2) / (sqrt(n) - 1) of the heatmap over its n pixels.

    0 when all pixels are equal, 1 when one holds everything; an all-zero map is scored as the constant map that it
    is: 0. Chance is the limit for many pixels.
    """

    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Is the heatmap concentrated on few pixels?"
    blind_spot: ClassVar[str] = "Whether they are the right pixels; less even over scales than Gini."
    reference: ClassVar[str] = "Hoyer, 2004, arXiv:cs/0408058"
    chance: ClassVar[float | None] = 1 - math.sqrt(3) / 2

    def score(self, explained: Explained) -> Scored:
        """One number per image."""
        mass = fractions(explained.heatmaps.flatten(1))
        root, length = math.sqrt(mass.shape[1]), mass.norm(dim=1)
        ratio = (1 / length).where(length > 0, root)
        return Scored(((root - ratio) / max(root - 1, 1e-12)).clamp(0, 1))
