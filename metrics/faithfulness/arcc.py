"""ARCC: the average of ROAD, complexity and coherency (Domeniconi et al., 2026)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.correlation import pearson
from bench.functional.heatmaps import min_max
from bench.scoring.explanation_images import seen_through_map
from bench.scoring.masked_outputs import road_gaps


@dataclass(frozen=True)
class Arcc(Metric):
    """Harmonic mean of coherency, one minus complexity and ROAD, the last at least 0.

    Coherency and complexity are those of `adcc`; ROAD, in the place of its drop, is the mean gap of the target's
    probability between removing the lowest and the highest `shares` of the pixels, imputed from their neighbours plus
    normal noise of `noise` in normalised space. 0 where one of the three is 0.
    """

    shares: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    noise: float = 0.01
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "ARCC"
    question: ClassVar[str] = "Does the map rank pixels rightly, and is it small and the same when only it is seen?"
    blind_spot: ClassVar[str] = "Which of its parts a score comes from; how wrong a map is whose order is reversed."
    reference: ClassVar[str] = "Domeniconi et al., 2026, arXiv:2605.14641"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each share and order, and one more explanation."""
        return explanation + Cost(2 * len(self.shares), 0)

    def score(self, explained: Explained) -> Scored:
        """One mean per image; its parts as the curve: coherency, one minus complexity, ROAD."""
        again = explained.explain_again(seen_through_map(explained))
        coherency = (pearson(explained.heatmaps, again) + 1) / 2
        complexity = min_max(explained.heatmaps.double()).flatten(1).mean(1)
        road = road_gaps(explained, self.shares, self.noise).mean(1).clamp_min(0)
        parts = torch.stack([coherency, 1 - complexity, road], 1)
        mean = 3 / (1 / parts.clamp_min(torch.finfo(torch.float64).tiny)).sum(1)
        return Scored(mean.where(parts.amin(1) > 0, 0 * parts.sum(1)), parts)
