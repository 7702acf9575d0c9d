"""Perturbation curves: images x methods x metrics x steps through a network as one queue of full chunks.

Each point of a curve shows `where(rank < count, end, start)`. The points where nothing or everything has
been replaced do not depend on the map: they are predicted once per image and shared by all curves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.ceremony import untouched
from bench.engine.predict import forward, logits_in_chunks
from bench.engine.substrates import substrate
from bench.handed import Explained, Network, Plan
from bench.heatmaps import ranks

if TYPE_CHECKING:
    from bench.api import PerturbationMetric


@dataclass(frozen=True)
class _Batch:
    """The images that all curves share, each once, found by id."""

    network: Network
    images: Tensor
    targets: Tensor
    clean: Tensor
    position: dict[str, int]


@dataclass(frozen=True)
class _Curve:
    """One curve to be drawn for each of some images: `ranks` (image, height, width), `rows` in the batch."""

    plan: Plan
    ranks: Tensor
    rows: list[int]

    @property
    def inner(self) -> list[int]:
        """The counts that show a mixture and so depend on the map."""
        pixels = self.ranks[0].numel()
        return [count for count in self.plan.counts if 0 < count < pixels]


def curves_of(jobs: Sequence[tuple["PerturbationMetric", Explained]]) -> list[Tensor]:
    """The curve of each image of each job, float64 (batch, points), in the order of the jobs.

    The jobs are explanations of one network and one batch: the same id stands for the same image and target.
    """
    batch = _batch([explained for _, explained in jobs])
    curves = _curves(jobs, batch)
    substrates = {name: substrate(name)(batch.images) for c in curves for name in (c.plan.start, c.plan.end)}
    ends = {name: batch.clean if name == "image" else _logits(batch, shown) for name, shown in substrates.items()}
    with untouched(batch.network.module), torch.inference_mode():
        inner = _inner_outputs(batch, curves, substrates)
    return [_assembled(batch, curve, ends, values) for curve, values in zip(curves, inner, strict=True)]


def _batch(explanations: Sequence[Explained]) -> _Batch:
    images: list[Tensor] = []
    targets, clean, position = [], [], {}
    for explained in explanations:
        for row, image_id in enumerate(explained.rng.image_ids):
            if image_id not in position:
                position[image_id] = len(images)
                images.append(explained.images[row])
                targets.append(explained.targets[row])
                clean.append(explained.clean[row])
    first = explanations[0]
    if len(images) == len(first.images):
        return _Batch(first.network, first.images, first.targets, first.clean, position)
    return _Batch(first.network, torch.stack(images), torch.stack(targets), torch.stack(clean), position)


def _curves(jobs: Sequence[tuple["PerturbationMetric", Explained]], batch: _Batch) -> list[_Curve]:
    known: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    curves = []
    for metric, explained in jobs:
        maps = metric.ranking(explained)
        height, width = maps.shape[1:]
        plan = metric.plan(height, width)
        key = (id(maps), plan.ties)
        if key not in known:
            noise = explained.rng.of("ties").uniform((height, width), maps) if plan.ties == "random" else None
            known[key] = (maps, ranks(maps, noise))
        _, order = known[key]
        if plan.order == "ascending":
            order = height * width - 1 - order
        curves.append(_Curve(plan, order, [batch.position[i] for i in explained.rng.image_ids]))
    return curves


def _logits(batch: _Batch, shown: Tensor) -> Tensor:
    return logits_in_chunks(batch.network, shown).expand(len(batch.images), -1)


def _inner_outputs(batch: _Batch, curves: Sequence[_Curve], substrates: dict[str, Tensor]) -> list[Tensor]:
    """The target's output at every inner point: for each curve float64 (image, inner points)."""
    targets = torch.cat(
        [batch.targets[curve.rows].repeat_interleave(len(curve.inner)) for curve in curves] or [batch.targets[:0]]
    )
    values = torch.empty(len(targets), 2, dtype=batch.clean.dtype, device=batch.images.device)
    done, limit = 0, batch.network.chunk
    for shown in _chunks(batch, curves, substrates):
        logits, limit = forward(batch.network, shown, limit)
        of = targets[done : done + len(shown), None]
        values[done : done + len(shown), 0] = logits.softmax(1).gather(1, of)[:, 0]
        values[done : done + len(shown), 1] = logits.gather(1, of)[:, 0]
        done += len(shown)
    sizes = [len(curve.rows) * len(curve.inner) for curve in curves]
    parts = values.double().cpu().split(sizes)
    column = {"probability": 0, "logit": 1}
    return [
        part[:, column[curve.plan.output]].reshape(len(curve.rows), -1)
        for part, curve in zip(parts, curves, strict=True)
    ]


def _chunks(batch: _Batch, curves: Sequence[_Curve], substrates: dict[str, Tensor]) -> Iterator[Tensor]:
    """Every inner point of every curve, in order, as full chunks of perturbed images in one reused buffer."""
    chunk = batch.network.chunk
    layout = _memory_format(batch.images)
    buffer = batch.images.new_empty(chunk, *batch.images.shape[1:]).contiguous(memory_format=layout)
    filled = 0
    for curve in curves:
        start, end = substrates[curve.plan.start], substrates[curve.plan.end]
        counts = torch.tensor(curve.inner, device=batch.images.device, dtype=curve.ranks.dtype)
        for own, row in enumerate(curve.rows):
            first, last = start[row % len(start)][None], end[row % len(end)][None]
            # One rank for each channel, laid out as the images are: comparing and choosing then run over plain memory.
            rank = curve.ranks[own].expand_as(first).contiguous(memory_format=layout)
            at = 0
            while at < len(counts):
                take = min(chunk - filled, len(counts) - at)
                replaced = rank < counts[at : at + take, None, None, None]
                torch.where(replaced, last, first, out=buffer[filled : filled + take])
                at, filled = at + take, filled + take
                if filled == chunk:
                    yield buffer
                    filled = 0
    if filled:
        yield buffer[:filled]


def _memory_format(images: Tensor) -> torch.memory_format:
    last = images.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if last else torch.contiguous_format


def _assembled(batch: _Batch, curve: _Curve, ends: dict[str, Tensor], inner: Tensor) -> Tensor:
    """The whole curve of each image: shared end points and inner points in the order of the counts."""
    pixels = curve.ranks[0].numel()
    targets = batch.targets[curve.rows][:, None]
    full = torch.empty(len(curve.rows), len(curve.plan.counts), dtype=torch.float64)
    counts = torch.tensor(curve.plan.counts)
    full[:, (counts > 0) & (counts < pixels)] = inner
    for name, there in ((curve.plan.start, counts <= 0), (curve.plan.end, counts >= pixels)):
        logits = ends[name][curve.rows]
        output = logits.softmax(1) if curve.plan.output == "probability" else logits
        full[:, there] = output.gather(1, targets).double().cpu()
    return full
