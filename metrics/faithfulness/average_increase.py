"""Average Increase (Chattopadhay et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.explanation_images import confidences


@dataclass(frozen=True)
class AverageIncrease(Metric):
    """1 where the target's probability rises when the image is multiplied by its heatmap, else 0.

    The heatmap is scaled to [0, 1], the image is multiplied in normalised space.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "share of the images"
    question: ClassVar[str] = "Does what the map hides speak against the class?"
    blind_spot: ClassVar[str] = "How far the probability rises; where it is 1 already it cannot."
    reference: ClassVar[str] = "Chattopadhay et al., 2018, arXiv:1710.11063"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One prediction."""
        return Cost(1, 0)

    def score(self, explained: Explained) -> Scored:
        """1 or 0 for each image, NaN where an output is no number."""
        clean, seen = confidences(explained)
        return Scored((seen > clean).double() + 0 * seen)
