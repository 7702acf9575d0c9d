"""SRG: symmetric relevance gain (Bluecher et al., 2024)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.api import PerturbationMetric, Plan
from bench.scoring.protocols import removal_plan


@dataclass(frozen=True)
class Srg(PerturbationMetric):
    """Area between the target's output while the lowest pixels go first and while the highest go first.

    `steps` equal steps towards `substrate`, ties broken at random. Curve (batch, steps + 1): lowest first less highest
    first; score: its area by the trapezoid rule, pixels as shares. The paper removes superpixels; here single pixels of
    all channels together.
    """

    steps: int = 20
    substrate: Literal["zeros", "darkest", "rise_blur", "latec_blur"] = "zeros"
    output: Literal["probability", "logit"] = "probability"
    display: ClassVar[str] = "SRG"
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does it hurt more to lose the highest pixels first than the lowest?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "What both orders share: where any hole breaks the network, nothing is told apart."
    reference: ClassVar[str] = "Bluecher et al., 2024, arXiv:2401.06654"
    chance: ClassVar[float | None] = 0.0

    def plan(self, height: int, width: int) -> Plan:
        """Both orders."""
        plan = removal_plan(height * width, self.steps, "both", self.output)
        return replace(plan, end=self.substrate, area="equal_steps")
