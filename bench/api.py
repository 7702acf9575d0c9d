"""What a plug-in is: Recipe, Attribution, Metric, Dataset; `bench.handed` holds what they are handed.

A plug-in is a frozen dataclass in a file of its own. Its fields are its settings (every one has a default),
its file name is its public name, its docstring's first line is what the board shows. The base classes
own the ceremony (modes, gradients, chunks, shapes, failures), so that a subclass is the mathematics.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, final

import torch
from pydantic import ConfigDict
from torch import Tensor

from bench.ceremony import untouched
from bench.errors import HeatmarkError, check_counts
from bench.handed import OK, Compared, Cost, Explained, Network, Plan, Request, Sample, Scored, refused
from bench.heatmaps import Reduction, reduce_channels
from bench.protocols import area_of

__all__ = [
    "Attribution",
    "Compared",
    "Cost",
    "Dataset",
    "Explained",
    "HeatmarkError",
    "Metric",
    "Network",
    "NetworkMetric",
    "PerturbationMetric",
    "Plan",
    "Plugin",
    "Recipe",
    "Request",
    "Sample",
    "Scored",
]


@dataclass(frozen=True)
class Plugin(ABC):
    """What all plug-ins share: a public name, a label made of the settings, a source to cite."""

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        in_folder = re.fullmatch(r"bench\.(?:methods|metrics|datasets)\.(?:\w+\.)*(\w+)", cls.__module__)
        cls.name = in_folder[1] if in_folder else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting and its value."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def label(self) -> str:
        """The name, and in brackets the settings that differ from their defaults."""
        changed = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]


@dataclass(frozen=True)
class Recipe(Plugin):
    """How a network is trained: the loss is the whole difference between recipes."""

    needs_truth: ClassVar[bool] = False

    @abstractmethod
    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """The scalar to minimise.

        `images` (batch, channel, height, width) normalised; `labels` (batch,) in the network's outputs;
        `truth` (batch, height, width) in [0, 1]; `rng` a CPU generator, the only source of chance.
        """

    def penalty(self, network: Network, images: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor | None:  # noqa: ARG002
        """What the loss adds to the error before it is scaled, (batch,), for the training log; None without one."""
        return None


@dataclass(frozen=True)
class Attribution(Plugin):
    """How a network is explained. `reduction` turns the signed attributions into a heatmap.

    A `control` competes with nobody: it shows what a map of known worth scores. The `floor` is the control that
    knows nothing at all, from which metrics are calibrated.

    A method that does not `follows_target` gives the same map for every target.
    """

    reduction: Reduction = "absolute_sum"
    control: ClassVar[bool] = False
    floor: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = False
    follows_target: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_counts(self)

    @abstractmethod
    def attribute(self, network: Network, request: Request) -> Tensor:
        """Signed attributions (batch, channel | 1, height, width) of the target logit."""

    def cost(self, network: Network, request: Request) -> Cost | None:  # noqa: ARG002
        """Passes through the network for each image, at most where images differ; None where nobody counted."""
        return None

    @final
    def explain(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel | 1, height, width), the network and the images left as they were.

        Raises HeatmarkError naming the plug-in when it returns the wrong shape.
        """
        if self.needs_truth and request.truth is None:
            raise HeatmarkError(f"attribution {self.name!r} needs a truth map, and this data set has none")
        parts = []
        with untouched(network.module), torch.enable_grad():
            for part in request.split(network.chunk):
                attributions = self.attribute(network, part.with_images(part.images.detach().clone()))
                self._check_shape(attributions, part.images)
                parts.append(attributions.detach())
        return torch.cat(parts)

    @final
    def heatmaps(self, attributions: Tensor) -> Tensor:
        """Heatmaps (batch, height, width): the declared reduction over channels."""
        return reduce_channels(attributions, self.reduction)

    def _check_shape(self, attributions: Tensor, images: Tensor) -> None:
        batch, channels, height, width = images.shape
        allowed = {(batch, channels, height, width), (batch, 1, height, width)}
        if tuple(attributions.shape) not in allowed or not attributions.is_floating_point():
            raise HeatmarkError(
                f"attribution {self.name!r} returned {attributions.dtype} of shape {tuple(attributions.shape)}; "
                f"expected floating point of shape ({batch}, {channels} or 1, {height}, {width})"
            )


@dataclass(frozen=True)
class AnyMetric(Plugin):
    """What all metrics say of themselves: the card.

    `range` is that of the default settings; `chance` is what a random map scores, where that is one number.
    """

    question: ClassVar[str] = ""
    direction: ClassVar[Literal["higher", "lower"]] = "higher"
    range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    blind_spot: ClassVar[str] = ""
    chance: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        check_counts(self)

    @property
    def protocol(self) -> str:
        """The published convention the number follows; `heatmark` where this project defines it."""
        return "heatmark"

    @property
    def bounds(self) -> tuple[float, float]:
        """The range of the scores under these settings."""
        return self.range

    @property
    def stamp(self) -> str:
        """What the score may be compared with: the protocol, and what settings change about it."""
        return self.protocol


@dataclass(frozen=True)
class Metric(AnyMetric):
    """How a heatmap is scored: one number per image, never a mean.

    The policies live in `measure`: a map that is not finite, or an image that lacks what the metric needs,
    gets a status and no score, and never reaches `score`. A constant map is scored as it is.
    A `machine_bound` score is a measurement of the machine, different from run to run.
    """

    needs_truth: ClassVar[bool] = False
    needs_fixations: ClassVar[bool] = False
    machine_bound: ClassVar[bool] = False

    @property
    def needs(self) -> tuple[bool, bool]:
        """Whether a truth map and whether fixations are needed under these settings."""
        return self.needs_truth, self.needs_fixations

    @abstractmethod
    def score(self, explained: Explained) -> Scored:
        """One score per image; every map is finite and everything that the metric needs is there."""

    @final
    def measure(self, explained: Explained) -> Scored:
        """One score per image, NaN with a status where the policies refuse one."""
        status = refused(explained, *self.needs)
        kept = [position for position, text in enumerate(status) if text == OK]
        if not kept:
            return Scored.none(status)
        return self.score(explained.select(kept)).spread(kept, status)


@dataclass(frozen=True)
class PerturbationMetric(Metric):
    """A metric that watches the output while pixels are replaced: it declares a plan, the engine runs it."""

    @abstractmethod
    def plan(self, height: int, width: int) -> Plan:
        """Order, counts, substrates and output for maps of this size."""

    def ranking(self, explained: Explained) -> Tensor:
        """What decides the order of the pixels, (batch, height, width); the heatmaps unless overridden.

        Where the channels of a pixel go one by one: one below the other, (batch, channel * height, width).
        """
        return explained.heatmaps

    @final
    def score_of(self, curves: Tensor, explained: Explained) -> Tensor:
        """Scores (batch,) of curves (batch, points), by the plan's rule for the area."""
        return area_of(curves, self.plan(*self.ranking(explained).shape[1:]))

    @final
    def score(self, explained: Explained) -> Scored:
        """The plan carried out for this batch alone; a run carries out many plans together."""
        from bench.engine import curves_of  # the engine is built on this module

        (curves,) = curves_of([(self, explained)])
        return Scored(self.score_of(curves, explained), curves)


@dataclass(frozen=True)
class NetworkMetric(AnyMetric):
    """A metric over several networks: those of a recipe's seeds, and those it has trained to compare with them."""

    @abstractmethod
    def score_networks(self, compared: Compared) -> Scored:
        """One score per image; every map is finite.

        Raises UnsupportedError where there are too few networks, or none can be trained.
        """

    @final
    def measure(self, compared: Compared) -> Scored:
        """One score per image, NaN with a status where a map is not finite."""
        each = [refused(own, truth=False, fixations=False) for own in compared.explained]
        status = [next((text for text in own if text != OK), OK) for own in zip(*each, strict=True)]
        kept = [position for position, text in enumerate(status) if text == OK]
        if not kept:
            return Scored.none(status)
        return self.score_networks(compared.select(kept)).spread(kept, status)


@dataclass(frozen=True)
class Dataset(Plugin):
    """Images in [0, 1] with labels, stable ids and, where there is one, a truth map or fixations.

    Images that are not `redistributable` are shown in one's own report and left out of a published one.
    """

    splits: ClassVar[tuple[str, ...]] = ("train", "val")
    redistributable: ClassVar[bool] = False

    @property
    def present(self) -> tuple[str, ...]:
        """The splits that have images here, which may be fewer than `splits` where only a part was copied."""
        return self.splits

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is a position in them."""

    @abstractmethod
    def ids(self, split: str) -> tuple[str, ...]:
        """A stable id for each image of the split, in a fixed order; cheap, no image is read."""

    @abstractmethod
    def labels(self, split: str) -> tuple[int, ...]:
        """The label of each image of the split, in the order of `ids`; cheap, no image is read."""

    @abstractmethod
    def sample(self, split: str, position: int) -> Sample:
        """One image with its label and truth.

        Raises HeatmarkError naming the path when a file is missing or cannot be read.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything that decides the samples: settings, and names and sizes of files."""
