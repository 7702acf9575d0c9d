"""Average Drop (Chattopadhay et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.explanation_images import confidences, share_lost


@dataclass(frozen=True)
class AverageDrop(Metric):
    """Share of the target's probability that is lost when the image is multiplied by its heatmap.

    The heatmap is scaled to [0, 1], the image is multiplied in normalised space; 0 where nothing is lost.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "share of the probability"
    question: ClassVar[str] = "Is what the map shows enough for the prediction?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "How much the map shows: one that is high everywhere loses nothing."
    reference: ClassVar[str] = "Chattopadhay et al., 2018, arXiv:1710.11063"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One prediction."""
        return Cost(1, 0)

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        clean, seen = confidences(explained)
        return Scored(share_lost(clean, seen))
