"""Monotonicity (Arya et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import PerturbationMetric, Plan


@dataclass(frozen=True)
class Monotonicity(PerturbationMetric):
    """Share of the steps at which the target's probability does not fall while pixels are put in, lowest first.

    `steps` equal steps from zero in normalised space to the image, ties broken at random; curve (batch, steps + 1).
    The paper (and Quantus) says only whether that is so at every step.
    """

    steps: int = 32
    unit: ClassVar[str] = "share of the steps"
    question: ClassVar[str] = "Does every further pixel add to the prediction, the important ones last?"
    blind_spot: ClassVar[str] = "How much each step adds; images of scattered pixels are off the data distribution."
    reference: ClassVar[str] = "Arya et al., 2019, arXiv:1909.03012"

    def plan(self, height: int, width: int) -> Plan:
        """From nothing to everything, the lowest pixels first."""
        counts = tuple(round(k * height * width / self.steps) for k in range(self.steps + 1))
        return Plan(counts, start="zeros", end="image", order="ascending", area="rising")
