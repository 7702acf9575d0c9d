"""What metrics see, explanations of a batch, and what they return, a score per image."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench.api.attribution import Attribution
from bench.api.network import Network
from bench.api.randomness import ImageRandom
from bench.api.request import Request
from bench.errors import HeatmarkError

OK = "ok"


@dataclass(frozen=True)
class Explained:
    """A batch of explanations, as metrics see it.

    `attributions` (batch, channel | 1, height, width), `heatmaps` (batch, height, width), `clean` the
    logits of the untouched images (batch, outputs); `fixations` one (count, 4) tensor per image: x, y in
    pixels, duration in ms, viewing; `fixation_pool` the fixations of other images, for shuffled scores.
    """

    network: Network
    request: Request
    method: Attribution
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

    def split(self) -> Iterator["Explained"]:
        """Parts of at most as many images as go through the network at once, in order."""
        for positions in self.request.positions(self.network.chunk):
            yield self.select(positions)


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

    def among(self, kept: list[int], status: Sequence[str]) -> "Scored":
        """These scores at their positions in the whole batch, the others with their status and NaN.

        A score that is not a number, or infinite, never counts as one, nor does one that has a status.
        """
        undefined = (~self.score.isfinite()).tolist()
        own = self.status or (OK,) * len(kept)
        own = tuple("undefined" if text == OK and bad else text for text, bad in zip(own, undefined, strict=True))
        full = list(status)
        for position, text in zip(kept, own, strict=True):
            full[position] = text
        curve = None if self.curve is None else _placed(self.curve, kept, len(full))
        counts = torch.tensor([text == OK for text in own], dtype=torch.bool, device=self.score.device)
        score = self.score.where(counts, torch.nan)
        return Scored(_placed(score, kept, len(full)), curve, tuple(full))


def scored_of(status: Sequence[str], score: Callable[[list[int]], object], who: str) -> Scored:
    """What a metric returns for the positions without a status, NaN with theirs for the others.

    HeatmarkError that says `who` where it is no score for each.
    """
    kept = [position for position, text in enumerate(status) if text == OK]
    if not kept:
        return Scored.none(status)
    return _check_scored(score(kept), len(kept), who).among(kept, status)


def _check_scored(scored: object, count: int, who: str) -> Scored:
    """What a metric returned for so many images; HeatmarkError that says `who` where it is no score for each."""
    given = f"{type(scored).__name__}; expected a Scored"
    if isinstance(scored, Scored):
        given = _wrong_part(scored, count)
        if not given:
            return scored
    raise HeatmarkError(f"{who} returned {given}")


def _wrong_part(scored: Scored, count: int) -> str:
    """The part of a score that is not one for each image, and what was expected; empty where none is wrong."""
    score, curve, status = scored.score, scored.curve, scored.status
    if not isinstance(score, Tensor) or score.shape != (count,) or not _plain(score):
        return f"the score {_form(score)}; expected numbers of shape ({count},)"
    one_each = curve is None or (isinstance(curve, Tensor) and curve.ndim == 2 and len(curve) == count)
    if not one_each or not (curve is None or _plain(curve)):
        return f"the curve {_form(curve)}; expected numbers of shape ({count}, points)"
    if len(status) not in (0, count) or not all(isinstance(text, str) and text.isprintable() for text in status):
        return f"the status {status!r:.80}; expected one line for each of {count} images"
    return ""


def _plain(values: Tensor) -> bool:
    return values.layout == torch.strided and not values.is_meta and not values.is_complex()


def _form(values: object) -> str:
    plain = isinstance(values, Tensor)
    return f"{values.dtype} {tuple(values.shape)}" if plain else type(values).__name__  # type: ignore[attr-defined]


def _placed(values: Tensor, kept: list[int], size: int) -> Tensor:
    if len(kept) == size:
        return values
    full = values.new_full((size, *values.shape[1:]), torch.nan)
    full[kept] = values
    return full


def statuses(explained: Explained, truth: bool, fixations: bool) -> list[str]:
    """A status per image: OK, or why no metric with these needs can score it."""
    status = [OK] * len(explained.request)
    for what, values in (("image", explained.images), ("output", explained.clean), ("heatmap", explained.heatmaps)):
        status = _marked(status, values.flatten(1).isfinite().all(1), f"non-finite {what}")
    if truth:
        masks = explained.request.truth
        if masks is None:
            status = ["no truth map" if text == OK else text for text in status]
        else:
            status = _marked(status, masks.isfinite().flatten(1).all(1), "non-finite truth map")
            status = _marked(status, masks.flatten(1).amax(1) > 0, "empty truth map")
    if fixations:
        points = explained.fixations or (torch.empty(0, 4),) * len(status)
        status = [
            "no fixations" if text == OK and not len(own) else text for text, own in zip(status, points, strict=True)
        ]
        status = [
            "non-finite fixations" if text == OK and not own.isfinite().all() else text
            for text, own in zip(status, points, strict=True)
        ]
    return status


def _marked(status: Sequence[str], good: Tensor, reason: str) -> list[str]:
    """The statuses with this reason for images that are not good and have none yet."""
    return [reason if text == OK and not fine else text for text, fine in zip(status, good.tolist(), strict=True)]
