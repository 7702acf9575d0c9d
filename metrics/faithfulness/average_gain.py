"""Average Gain (Zhang et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.explanation_images import confidences


@dataclass(frozen=True)
class AverageGain(Metric):
    """Share of the probability still to be had that is gained when the image is multiplied by its heatmap.

    The heatmap is scaled to [0, 1], the image is multiplied in normalised space; 0 where nothing is gained.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "share of the missing probability"
    question: ClassVar[str] = "How much surer is the network when it sees only what the map shows?"
    blind_spot: ClassVar[str] = "Maps that are right about a prediction that is sure already."
    reference: ClassVar[str] = "Zhang et al., 2024, arXiv:2301.07002"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One prediction."""
        return Cost(1, 0)

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        clean, seen = confidences(explained)
        return Scored(((seen - clean).clamp_min(0) / (1 - clean).clamp_min(1e-300)).where(clean < 1, 0 * seen))
