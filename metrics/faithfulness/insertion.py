"""Insertion (Petsiuk et al., 2018)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.api import PerturbationMetric, Plan
from bench.scoring.protocols import InsertionProtocol, bounds, insertion_plan, output, stamp


@dataclass(frozen=True)
class Insertion(PerturbationMetric):
    """Area under the target's probability while the highest pixels are put back first.

    Score in [0, 1]; curve (batch, height + 1) under `rise2018`: `step` pixels a point (None: the image's width),
    into a blurred copy of the image, ties from the highest flat index to the lowest. The other protocols do what the
    libraries of their names do in a version (`torchcam-0.5`; the newest without one), and their scores have other
    ranges: see `bench.scoring.protocols`.

    With a `tolerance` only as many points are evaluated as that certainty of the area needs; the curve is
    straight in between, and the score carries another protocol stamp.
    """

    protocol: InsertionProtocol = "rise2018"
    step: int | None = None
    tolerance: float | None = None
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does the prediction come back as soon as the pixels the map calls important are shown?"
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    blind_spot: ClassVar[str] = (
        "Where the blurred image still shows the class the curve starts high, and every map scores well."
    )
    reference: ClassVar[str] = "Petsiuk et al., 2018, arXiv:1806.07421"

    def plan(self, height: int, width: int) -> Plan:
        """The protocol's plan."""
        return replace(insertion_plan(self.protocol, height, width, self.step), tolerance=self.tolerance)

    @property
    def unit_here(self) -> str:
        """The scores of some protocols are of the logit."""
        return f"{output(self.protocol)} of the class"

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the protocol's scores."""
        return bounds(self.protocol)

    @property
    def stamp(self) -> str:
        """The protocol, and what the settings change about it."""
        return stamp(self.protocol, self.step, self.tolerance)
