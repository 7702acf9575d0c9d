"""Deletion (Petsiuk et al., 2018)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from torch import Tensor

from bench.api import Explained, PerturbationMetric, Plan
from bench.scoring.protocols import DeletionProtocol, bounds, by_channel, deletion_plan, output, stamp


@dataclass(frozen=True)
class Deletion(PerturbationMetric):
    """Area under the target's probability while the highest pixels are deleted first.

    Score in [0, 1]; curve (batch, height + 1) under `rise2018`: `step` pixels a point (None: the image's width),
    towards zero in normalised space, ties from the highest flat index to the lowest. The other protocols do what the
    libraries of their names do in a version (`torchcam-0.5`; the newest without one), and their scores have other
    ranges: see `bench.scoring.protocols`.

    With a `tolerance` only as many points are evaluated as that certainty of the area needs; the curve is
    straight in between, and the score carries another protocol stamp.
    """

    protocol: DeletionProtocol = "rise2018"
    step: int | None = None
    tolerance: float | None = None
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does the prediction fall as soon as the pixels the map calls important are gone?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = (
        "Deleted pixels are off the data distribution: a map that breaks the network fastest wins, "
        "whether or not the network uses those pixels."
    )
    reference: ClassVar[str] = "Petsiuk et al., 2018, arXiv:1806.07421"

    def plan(self, height: int, width: int) -> Plan:
        """The protocol's plan."""
        return replace(deletion_plan(self.protocol, height, width, self.step), tolerance=self.tolerance)

    def ranking(self, explained: Explained) -> Tensor:
        """The heatmaps, or under `quantus` the signed attributions, channel below channel."""
        if not by_channel(self.protocol):
            return explained.heatmaps
        return explained.attributions.expand_as(explained.images).flatten(1, 2)

    def ranked_size(self, images: Tensor) -> tuple[int, int]:
        """The size of the images, or under `quantus` channel below channel."""
        channels, height, width = images.shape[1:]
        return (height * channels if by_channel(self.protocol) else height), width

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
