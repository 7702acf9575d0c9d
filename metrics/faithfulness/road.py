"""ROAD: remove and debias (Rong et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.masked_outputs import road_gaps


@dataclass(frozen=True)
class Road(Metric):
    """Mean gap of the target's probability between removing the lowest and removing the highest pixels.

    Curve (batch, shares): the gap when each of `shares` of the pixels is removed; score: its mean. Removed pixels are
    imputed as weighted means of their neighbours, plus normal noise of `noise` in normalised space. Ties are broken at
    random. The paper reports accuracies for both orders; their difference is the form that needs no reference.
    """

    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    noise: float = 0.01
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "ROAD"
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does it hurt more to lose the highest pixels than the lowest, seen without holes?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Evidence that the neighbours of a removed pixel still give away."
    reference: ClassVar[str] = "Rong et al., 2022, arXiv:2202.00449"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each share and order."""
        return Cost(2 * len(self.shares), 0)

    def score(self, explained: Explained) -> Scored:
        """Gaps at each share, and their mean."""
        gaps = road_gaps(explained, self.shares, self.noise)
        return Scored(gaps.mean(1), gaps)
