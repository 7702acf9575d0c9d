"""LeRF: least relevant first (after Samek et al., 2017)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from bench.api import PerturbationMetric, Plan
from bench.scoring.protocols import removal_plan


@dataclass(frozen=True)
class Lerf(PerturbationMetric):
    """Mean drop of the target's output while the lowest pixels are removed first (AOPC).

    `steps` equal steps to an empty image in normalised space, ties broken at random; curve (batch, steps + 1). The
    paper removes regions of 9 x 9 pixels; here single pixels of all channels together.
    """

    steps: int = 20
    output: Literal["probability", "logit"] = "probability"
    display: ClassVar[str] = "LeRF"
    unit: ClassVar[str] = "drop of the probability"
    question: ClassVar[str] = "How much of the prediction is lost with the pixels the map calls unimportant?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Removed pixels are off the data distribution: a map that delays the break wins."
    reference: ClassVar[str] = "Samek et al., 2017, arXiv:1509.06321"

    def plan(self, height: int, width: int) -> Plan:
        """Lowest pixels first."""
        return removal_plan(height * width, self.steps, "ascending", self.output)
