"""ADCC: average drop, coherency and complexity in one (Poppi et al., 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.correlation import pearson
from bench.functional.heatmaps import min_max
from bench.scoring.explanation_images import confidences, seen_through_map, share_lost


@dataclass(frozen=True)
class Adcc(Metric):
    """Harmonic mean of coherency, one minus complexity and one minus the drop of the probability.

    Drop: the share of the target's probability that is lost when the image is multiplied by its heatmap. Coherency:
    Pearson's correlation r of the heatmap with that of the multiplied image, as (r + 1) / 2. Complexity: the mean of
    the heatmap. Heatmaps are scaled to [0, 1]; 0 where one of the three is 0.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "ADCC"
    question: ClassVar[str] = "Is the map enough for the prediction, small, and the same when only it is seen?"
    blind_spot: ClassVar[str] = "Which of its three parts a score comes from; the small map need not be the right one."
    reference: ClassVar[str] = "Poppi et al., 2021, arXiv:2104.10252"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One prediction and one more explanation."""
        return explanation + Cost(1, 0)

    def score(self, explained: Explained) -> Scored:
        """One mean per image; its parts as the curve: coherency, one minus complexity, one minus drop."""
        clean, seen = confidences(explained)
        drop = share_lost(clean, seen)
        again = explained.explain_again(seen_through_map(explained))
        coherency = (pearson(explained.heatmaps, again) + 1) / 2
        complexity = min_max(explained.heatmaps.double()).flatten(1).mean(1)
        parts = torch.stack([coherency, 1 - complexity, 1 - drop], 1)
        tiny = torch.finfo(torch.float64).tiny
        mean = 3 / (1 / parts.clamp_min(tiny)).sum(1)
        return Scored(mean.where(parts.amin(1) > 0, 0 * parts.sum(1)), parts)
