"""The contract of a metric: how one network's heatmaps are scored, directly or by a curve that the engine draws."""

import re
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from torch import Tensor

from bench.api.explanation import Explained, Scored, scored_of, statuses
from bench.api.network import Network
from bench.api.plugin import Plugin
from bench.api.request import Cost, Request
from bench.functional.curve_areas import Area
from bench.functional.heatmaps import Ties
from bench.functional.outputs import Output
from bench.plugin_card import MetricCard
from bench.settings import CLASSIFYING, OutputKind


@dataclass(frozen=True)
class AnyMetric(Plugin):
    """What all metrics say of themselves: the card.

    `range` is that of the default settings; `chance` is what a random map scores, where that is one number; `unit`
    what a score counts, nothing for a bare number. A property (`is_property`) says what a map is like, not what it is
    worth: boards show it, and it counts nothing in their order unless asked for. `smallest` is the smallest difference
    that matters; without one it is 2% of the way from floor to ceiling. `family` defaults to the metric's folder.
    """

    family: ClassVar[str] = "other"
    unit: ClassVar[str] = ""
    is_property: ClassVar[bool] = False
    smallest: ClassVar[float | None] = None

    question: ClassVar[str] = ""
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    blind_spot: ClassVar[str] = ""
    chance: ClassVar[float | None] = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        folder = re.fullmatch(r"bench\.metrics\.(\w+)\.\w+", cls.__module__)
        if folder and "family" not in vars(cls):
            cls.family = folder[1]

    @property
    def card(self) -> MetricCard:
        """What the metric says of itself under these settings."""
        low, high = (end if abs(end) != float("inf") else None for end in self.bounds)
        return MetricCard(
            **vars(super().card),
            family=self.family,
            question=self.question,
            direction=self.direction,
            unit=self.unit_here,
            range=(low, high),
            chance=self.chance,
            protocol=self.stamp,
            blind_spot=self.blind_spot,
            is_property=self.is_property,
            smallest=self.smallest,
        )

    @property
    def protocol(self) -> str:
        """The published convention the number follows; `heatmark` where this project defines it."""
        return "heatmark"

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the scores under these settings."""
        return self.range

    @property
    def unit_here(self) -> str:
        """The unit of the scores under these settings."""
        return self.unit

    @property
    def stamp(self) -> str:
        """What the score may be compared with: the protocol, and what settings change about it."""
        return self.protocol


@dataclass(frozen=True)
class ImageMetric(AnyMetric):
    """What metrics of one network's heatmaps share: one number per image, never a mean.

    A map that is not finite, or an image that lacks what the metric needs, gets a status and no score.
    A constant map is scored as it is.
    A `machine_bound` score is a measurement of the machine, different from run to run.
    """

    needs_truth: ClassVar[bool] = False
    needs_fixations: ClassVar[bool] = False
    machine_bound: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[bool, bool]:
        """Whether a truth map and whether fixations are needed under these settings."""
        return self.needs_truth, self.needs_fixations

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:  # noqa: ARG002
        """Passes through the network for each image, at most where images differ; `explanation` is what one more costs.

        None unless overridden; the explanation that is scored and the prediction of the untouched images do not count.
        """
        return Cost(0, 0)


@dataclass(frozen=True)
class Metric(ImageMetric):
    """A metric that looks at the heatmaps, and at the network as it likes."""

    @abstractmethod
    def score(self, explained: Explained) -> Scored:
        """One score per image; every map is finite and everything that the metric needs is there."""

    @final
    def measure(self, explained: Explained) -> Scored:
        """One score per image, NaN with a status where the policies refuse one."""
        self.check_takes(explained.network.output, explained.network.name)
        status = statuses(explained, *self.needs)
        return scored_of(status, lambda kept: self.score(explained.select(kept)), f"metric {self.name!r}")


@dataclass(frozen=True)
class Plan:
    """What a perturbation metric asks of the engine.

    `counts[k]` pixels (all channels together; ascending) have gone from `start` to `end` at point k of the curve,
    highest first (`descending`), lowest first, or `both`: the curve is that of lowest first less that of highest first,
    each with the points asked for. `start` and `end` name substrates of the engine. `area` says how the
    curve becomes a score (`bench.functional.area_of`). With a `tolerance` only as many points are evaluated as the area
    under the curve needs to be that certain.
    """

    counts: tuple[int, ...]
    start: str
    end: str
    order: Literal["descending", "ascending", "both"] = "descending"
    output: Output = "probability"
    ties: Ties = "random"
    area: Area = "equal_steps"
    tolerance: float | None = None


@dataclass(frozen=True)
class PerturbationMetric(ImageMetric):
    """A metric that watches the output while pixels are replaced: it declares a plan, the engine runs it.

    On another machine pixels that are nearly alike may change places in the order.
    """

    rounding: ClassVar[float] = 2e-3

    @property
    def takes(self) -> tuple[OutputKind, ...]:
        """Those with probabilities where the plan asks for one."""
        probability = self.plan(32, 32).output == "probability"
        return tuple(kind for kind in self.output_kinds if kind in CLASSIFYING or not probability)

    @abstractmethod
    def plan(self, height: int, width: int) -> Plan:
        """Order, counts, substrates and output for maps of this size."""

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:  # noqa: ARG002
        """The points between the ends of the curve, at most; ends are predicted once for all curves of an image."""
        height, width = self.ranked_size(request.images)
        plan = self.plan(height, width)
        orders = 2 if plan.order == "both" else 1
        return Cost(orders * sum(0 < count < height * width for count in plan.counts), 0)

    def ranked_size(self, images: Tensor) -> tuple[int, int]:
        """(height, width) of what `ranking` gives for images like these."""
        return int(images.shape[2]), int(images.shape[3])

    def ranking(self, explained: Explained) -> Tensor:
        """What decides the order of the pixels, (batch, height, width); the heatmaps unless overridden.

        Where the channels of a pixel go one by one: one below the other, (batch, channel * height, width).
        """
        return explained.heatmaps
