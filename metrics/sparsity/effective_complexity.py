"""Effective complexity: how many pixels hold most of the map (after Nguyen & Martinez, 2020)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import fractions


@dataclass(frozen=True)
class EffectiveComplexity(Metric):
    """Share of the pixels that it takes to hold `mass` of the heatmap's absolute values.

    An all-zero map is scored as the constant map that it is: `mass`, rounded up to whole pixels. The paper counts
    features whose removal changes the output; this is its form for a map alone.
    """

    mass: float = 0.9
    unit: ClassVar[str] = "share of the pixels"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "How many pixels does one have to look at?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "Whether they are the right pixels, and the order of the heights among them."
    reference: ClassVar[str] = "Nguyen & Martinez, 2020, arXiv:2007.07584"

    def score(self, explained: Explained) -> Scored:
        """The smallest number of pixels over all pixels."""
        shares = fractions(explained.heatmaps.flatten(1))
        shares = torch.where(shares.amax(1, keepdim=True) > 0, shares, 1 / shares.shape[1])
        held = shares.sort(dim=1, descending=True).values.cumsum(1)
        # Sums of equal shares come out a rounding below the mass that they hold.
        needed = (held < self.mass - 1e-9).sum(1) + 1
        return Scored(needed.double() / shares.shape[1])
