"""What plug-ins are handed and hand back: plain frozen records of tensors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from bench.errors import HeatmarkError
from bench.heatmaps import Ties
from bench.randomness import ImageRandom

if TYPE_CHECKING:
    from bench.api import Attribution
    from bench.laboratory import Laboratory

OK = "ok"

Precision = Literal["fp32", "tf32", "bf16"]
Compiler = Literal["none", "inductor", "cudagraphs", "aot_eager"]
Area = Literal["equal_steps", "shares", "points", "unit_steps", "mean", "mean_drop"]


@dataclass(frozen=True)
class Preprocess:
    """How a network wants its input: resized, cut out of the centre, normalised.

    `resize` is the length of the shorter side, or (height, width) to squash to; None means straight to `size`.
    """

    size: tuple[int, int] = (64, 64)
    resize: int | tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Network:
    """A classifier, what it expects of its input, and how data set labels map to its outputs.

    `label_map[label]` is the output for a label of the data set, -1 where the network has none;
    None means that labels are outputs. `chunk` is how many inputs go through at once, `precision` that of the
    engine's forward passes and `compiler` the back end of torch.compile for them (gradients and clean predictions
    are always computed as the module is).
    """

    module: nn.Module
    name: str = "network"
    recipe: str = ""
    preprocess: Preprocess = Preprocess()
    label_map: tuple[int, ...] | None = None
    chunk: int = 32
    precision: Precision = "fp32"
    compiler: Compiler = "none"

    def logits(self, images: Tensor) -> Tensor:
        """All logits (batch, outputs) of images (batch, channel, height, width); HeatmarkError for anything else."""
        logits: Tensor = self.module(images)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            given = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise HeatmarkError(f"network {self.name!r} returns {given}; expected logits, a tensor (batch, outputs)")
        return logits

    def logits_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The logit of each image's target, (batch,)."""
        return self.logits(images).gather(1, targets[:, None])[:, 0]

    def probabilities_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The softmax probability of each image's target, (batch,)."""
        return self.logits(images).softmax(1).gather(1, targets[:, None])[:, 0]

    def outputs_of(self, labels: Tensor) -> Tensor:
        """The outputs that stand for these labels of the data set, -1 where there is none."""
        if self.label_map is None:
            return labels
        return torch.tensor(self.label_map, device=labels.device)[labels]

    def known_outputs(self, outputs: int) -> list[int]:
        """Those of all `outputs` that stand for a label of the data set; HeatmarkError where a label has another."""
        known = sorted({output for output in self.label_map or range(outputs) if output >= 0})
        if known and known[-1] >= outputs:
            raise HeatmarkError(f"network {self.name!r}: label_map names output {known[-1]}, the last is {outputs - 1}")
        return known


@dataclass(frozen=True)
class Request:
    """What an attribution explains.

    `images` (batch, channel, height, width) normalised; `targets` (batch,) outputs; `truth`
    (batch, height, width) in [0, 1]; `references` (any, channel, height, width), a fixed pool of other images.
    """

    images: Tensor
    targets: Tensor
    rng: ImageRandom
    truth: Tensor | None = None
    references: Tensor | None = None

    def __len__(self) -> int:
        return len(self.images)

    def with_images(self, images: Tensor) -> "Request":
        """The same request for other pixels."""
        return replace(self, images=images)

    def select(self, positions: list[int]) -> "Request":
        """Some images of the batch."""
        return replace(
            self,
            images=self.images[positions],
            targets=self.targets[positions],
            rng=self.rng.select(positions),
            truth=None if self.truth is None else self.truth[positions],
        )

    def split(self, chunk: int) -> Iterator["Request"]:
        """Parts of at most `chunk` images, in order."""
        for start in range(0, len(self), chunk):
            yield self.select(list(range(start, min(start + chunk, len(self)))))


@dataclass(frozen=True)
class Cost:
    """Images that go forward through the whole network, and gradients that come back, for one explained image."""

    forward: int
    backward: int


@dataclass(frozen=True)
class Explained:
    """A batch of explanations, as metrics see it.

    `attributions` (batch, channel | 1, height, width), `heatmaps` (batch, height, width), `clean` the
    logits of the untouched images (batch, outputs); `fixations` one (count, 4) tensor per image: x, y in
    pixels, duration in ms, viewing; `fixation_pool` the fixations of other images, for shuffled scores.
    """

    network: Network
    request: Request
    method: "Attribution"
    attributions: Tensor
    heatmaps: Tensor
    clean: Tensor
    rng: ImageRandom
    fixations: tuple[Tensor, ...] | None = None
    fixation_pool: Tensor | None = None

    @property
    def images(self) -> Tensor:
        """The explained images (batch, channel, height, width), normalised."""
        return self.request.images

    @property
    def targets(self) -> Tensor:
        """The explained outputs (batch,)."""
        return self.request.targets

    @property
    def truth(self) -> Tensor:
        """Truth maps (batch, height, width) in [0, 1]; only for metrics that declare `needs_truth`."""
        if self.request.truth is None:
            raise ValueError("this batch has no truth; a metric that uses it declares needs_truth = True")
        return self.request.truth

    def attribute_again(self, images: Tensor) -> Tensor:
        """Attributions of other pixels by the same method, for the same targets."""
        return self.method.explain(self.network, self.request.with_images(images))

    def explain_again(self, images: Tensor) -> Tensor:
        """Heatmaps of other pixels by the same method, for the same targets."""
        return self.method.heatmaps(self.attribute_again(images))

    def select(self, positions: list[int]) -> "Explained":
        """Some images of the batch."""
        if positions == list(range(len(self.request))):
            return self
        return replace(
            self,
            request=self.request.select(positions),
            attributions=self.attributions[positions],
            heatmaps=self.heatmaps[positions],
            clean=self.clean[positions],
            rng=self.rng.select(positions),
            fixations=None if self.fixations is None else tuple(self.fixations[i] for i in positions),
        )


@dataclass(frozen=True)
class Compared:
    """A batch as metrics over several networks see it.

    `explained` by one method on each network of a recipe, one for each seed, all for the first one's targets;
    `outputs` (batch,) what is right; the `laboratory` trains more networks like the first.
    """

    explained: tuple[Explained, ...]
    outputs: Tensor
    laboratory: "Laboratory"

    def select(self, positions: list[int]) -> "Compared":
        """Some images of the batch."""
        explained = tuple(own.select(positions) for own in self.explained)
        return replace(self, explained=explained, outputs=self.outputs[positions])


@dataclass(frozen=True)
class Scored:
    """One score per image, (batch,); a curve per image where there is one, (batch, points); a status each."""

    score: Tensor
    curve: Tensor | None = None
    status: tuple[str, ...] = ()

    @classmethod
    def none(cls, status: Sequence[str]) -> "Scored":
        """No image could be scored, and why."""
        return cls(torch.full((len(status),), torch.nan, dtype=torch.float64), None, tuple(status))

    def spread(self, kept: list[int], status: Sequence[str]) -> "Scored":
        """These scores at their positions in the whole batch, the others with their status and NaN.

        A score that is not a number never counts as one.
        """
        undefined = self.score.isnan().tolist()
        own = self.status or (OK,) * len(kept)
        own = tuple("undefined" if text == OK and bad else text for text, bad in zip(own, undefined, strict=True))
        full = list(status)
        for position, text in zip(kept, own, strict=True):
            full[position] = text
        curve = None if self.curve is None else _spread(self.curve, kept, len(full))
        return Scored(_spread(self.score, kept, len(full)), curve, tuple(full))


def _spread(values: Tensor, kept: list[int], size: int) -> Tensor:
    if len(kept) == size:
        return values
    full = values.new_full((size, *values.shape[1:]), torch.nan)
    full[kept] = values
    return full


@dataclass(frozen=True)
class Plan:
    """What a perturbation metric asks of the engine.

    `counts[k]` pixels (all channels together; ascending) have gone from `start` to `end` at point k of the curve,
    highest first (`descending`) or lowest first; `start` and `end` name substrates of the engine. `area` says how the
    curve becomes a score (`bench.protocols.area_of`). With a `tolerance` only as many points are evaluated as the area
    under the curve needs to be that certain.
    """

    counts: tuple[int, ...]
    start: str
    end: str
    order: Literal["descending", "ascending"] = "descending"
    output: Literal["probability", "logit"] = "probability"
    ties: Ties = "random"
    area: Area = "equal_steps"
    tolerance: float | None = None


@dataclass(frozen=True)
class Sample:
    """One image of a data set: `image` (channel, height, width) in [0, 1], `truth` (height, width) in [0, 1].

    `fixations` (count, 4): x, y in pixels from the top left corner (a pixel's centre is at .5), duration in
    ms, viewing.
    """

    id: str
    image: Tensor
    label: int
    truth: Tensor | None = None
    fixations: Tensor | None = None


def refused(explained: Explained, truth: bool, fixations: bool) -> list[str]:
    """A status per image: OK, or why no metric with these needs can score it."""
    finite = explained.heatmaps.flatten(1).isfinite().all(1).tolist()
    status = [OK if good else "non-finite heatmap" for good in finite]
    if truth:
        masks = explained.request.truth
        lacking = [True] * len(status) if masks is None else (masks.flatten(1).amax(1) <= 0).tolist()
        reason = "no truth map" if masks is None else "empty truth map"
        status = [reason if lacks and text == OK else text for text, lacks in zip(status, lacking, strict=True)]
    if fixations:
        points = explained.fixations or (torch.empty(0, 4),) * len(status)
        status = [
            "no fixations" if text == OK and not len(own) else text for text, own in zip(status, points, strict=True)
        ]
    return status
