"""Perturbation curves: images x methods x metrics x steps through a network as one queue of full chunks.

At each point of a curve the `count` pixels of highest rank show the end substrate, the others the start. Where
nothing or everything has been replaced that does not depend on the map: predicted once per image, shared by all curves.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Explained, ImageRandom, Network, Plan
from bench.engine.adaptive import Curve, Points, first_points, next_points, straightened
from bench.engine.memory import room_for
from bench.engine.perturb import TOGETHER, Replacing
from bench.engine.predict import forward, forwards_only
from bench.engine.substrates import substrate
from bench.functional.heatmaps import Ties, pixels_by_rank
from bench.functional.outputs import target_outputs

# Bytes of perturbed images that are handled together: many small images at once, few enough to stay in the cache.
_BUFFER = 4 * 2**20


@dataclass(frozen=True)
class Ranked:
    """What a perturbation metric asks of the engine: explanations, its plan, and the maps whose pixels are ranked.

    `maps` are (batch, height, width), or one channel below the other where the channels of a pixel go one by one.
    """

    explained: Explained
    plan: Plan
    maps: Tensor


@dataclass(frozen=True)
class _Batch:
    """The images that all curves share, each once, found by id."""

    network: Network
    images: Tensor
    targets: Tensor
    clean: Tensor
    position: dict[str, int]


@dataclass(frozen=True)
class _Job:
    """The curve of one image: its plan, the order in which pixels (or values) are replaced, its row in the batch."""

    plan: Plan
    order: Tensor
    row: int


def curves_of(asked: Sequence[Ranked]) -> list[Tensor]:
    """The curves of the images that each asks for, float64 (batch, points), in order.

    They are explanations of one network and one batch: the same id stands for the same image and target.
    """
    curves = iter(_curves_one_way([one for own in asked for one in _one_way(own)]))
    return [next(curves) - next(curves) if own.plan.order == "both" else next(curves) for own in asked]


def _one_way(asked: Ranked) -> list[Ranked]:
    """What is asked for, lowest first and then highest first where both are."""
    if asked.plan.order != "both":
        return [asked]
    return [replace(asked, plan=replace(asked.plan, order=order)) for order in ("ascending", "descending")]


def _curves_one_way(asked: Sequence[Ranked]) -> list[Tensor]:
    if not asked:
        return []
    batch = _batch([own.explained for own in asked])
    jobs = _jobs(asked, batch)
    names = dict.fromkeys(name for job in jobs for name in (job.plan.start, job.plan.end))
    substrates = {name: substrate(name)(batch.images) for name in names}
    with forwards_only(batch.network, batch.images) as ready:
        batch = replace(batch, network=ready)
        curves = _with_ends(batch, jobs, substrates)
        wanted = [_first(job, curve) for job, curve in zip(jobs, curves, strict=True)]
        while any(map(len, wanted)):
            _fill(batch, jobs, substrates, curves, wanted)
            wanted = [_next(job, own, points) for job, own, points in zip(jobs, curves, wanted, strict=True)]
    whole = iter([_numbers(straightened(curve)) for curve in curves])
    return [torch.from_numpy(np.stack([next(whole) for _ in own.explained.rng.image_ids])) for own in asked]


def end_passes(plans: Sequence[Plan], images: Tensor) -> int:
    """How many images are predicted where nothing or everything has been replaced, for all curves of these images."""
    names = {name for plan in plans for name in (plan.start, plan.end)} - {"image"}
    return sum(len(substrate(name)(images)) for name in names)


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


def _jobs(asked: Sequence[Ranked], batch: _Batch) -> list[_Job]:
    known: dict[tuple[int, str], tuple[Tensor, Tensor]] = {}
    jobs = []
    for own in asked:
        maps, plan, rng = own.maps, own.plan, own.explained.rng
        key = (id(maps), plan.ties)
        if key not in known:
            known[key] = (maps, pixels_by_rank(maps, _before_ties(maps, plan.ties, rng)))
        _, order = known[key]
        if plan.order == "ascending":
            order = order.flip(1)
        rows = [batch.position[image_id] for image_id in rng.image_ids]
        jobs += [_Job(plan, places, row) for places, row in zip(order, rows, strict=True)]
    return jobs


def _before_ties(maps: Tensor, ties: Ties, rng: ImageRandom) -> Tensor | None:
    """What puts pixels of one height into order, highest first; None for the last pixel first."""
    match ties:
        case "random":
            return rng.of("ties").uniform(maps.shape[1:], maps)
        case "first":
            return -torch.arange(maps[0].numel(), device=maps.device).expand(len(maps), -1)
        case "last":
            return None


def _with_ends(batch: _Batch, jobs: Sequence[_Job], substrates: dict[str, Tensor]) -> list[Curve]:
    """A curve for each job, NaN but where nothing or everything has been replaced."""
    outputs = {}
    wanted = {job.plan.output for job in jobs}
    for name, shown in substrates.items():
        logits = batch.clean if name == "image" else forward(batch.network, shown, batch.network.chunk)[0]
        logits = logits.expand(len(batch.images), -1)
        for output in wanted:
            outputs[name, output] = _known(target_outputs(logits, batch.targets, output, batch.network.output))
    curves = []
    for job in jobs:
        counts = np.array(job.plan.counts)
        curve = np.full(len(counts), np.nan)
        curve[counts <= 0] = outputs[job.plan.start, job.plan.output][job.row]
        curve[counts >= len(job.order)] = outputs[job.plan.end, job.plan.output][job.row]
        curves.append(curve)
    return curves


def _first(job: _Job, curve: Curve) -> Points:
    return np.flatnonzero(np.isnan(curve)) if job.plan.tolerance is None else first_points(curve)


def _next(job: _Job, curve: Curve, known: Points) -> Points:
    return known[:0] if job.plan.tolerance is None else next_points(curve, known, job.plan.tolerance)


def _fill(
    batch: _Batch, jobs: Sequence[_Job], substrates: dict[str, Tensor], curves: list[Curve], wanted: Sequence[Points]
) -> None:
    """Predict the wanted points of all curves and write them there; the host waits for the device once."""
    rows = torch.tensor([job.row for job in jobs]).repeat_interleave(torch.tensor(list(map(len, wanted))))
    targets = batch.targets[rows.to(batch.targets.device)]
    kinds = sorted({job.plan.output for job in jobs})
    values = torch.empty(len(kinds), len(targets), dtype=batch.clean.dtype, device=batch.images.device)
    done, limit = 0, batch.network.chunk
    for shown in _chunks(batch, jobs, substrates, wanted):
        logits, limit = forward(batch.network, shown, limit)
        chunk = slice(done, done + len(shown))
        for row, output in enumerate(kinds):
            values[row, chunk] = target_outputs(logits, targets[chunk], output, batch.network.output)
        done += len(shown)
    known = dict(zip(kinds, _known(values), strict=True))
    at = 0
    for job, curve, points in zip(jobs, curves, wanted, strict=True):
        curve[points] = known[job.plan.output][at : at + len(points)]
        at += len(points)


def _chunks(
    batch: _Batch, jobs: Sequence[_Job], substrates: dict[str, Tensor], wanted: Sequence[Points]
) -> Iterator[Tensor]:
    """The perturbed images of all wanted points, in order, in one reused buffer that holds some full chunks."""
    chunk = batch.network.chunk
    room = chunk * math.ceil(max(_BUFFER / batch.images[0].nbytes, TOGETHER) / chunk)
    buffer = room_for(room, batch.images)
    filled = 0
    for job, points in zip(jobs, wanted, strict=True):
        if not points.size:
            continue
        start, end = substrates[job.plan.start], substrates[job.plan.end]
        counts = [job.plan.counts[point] for point in points]
        replacing = Replacing(job.order, start[job.row % len(start)][None], end[job.row % len(end)][None], counts)
        while replacing.drawn < len(counts):
            take = min(room - filled, len(counts) - replacing.drawn, TOGETHER)
            replacing.draw(buffer[filled : filled + take])
            filled += take
            if filled == room:
                yield buffer
                filled = 0
    if filled:
        yield buffer[:filled]


def _known(outputs: Tensor) -> Curve:
    """Outputs with infinity for what is no number, because NaN stands for a point that is not known yet."""
    return np.asarray(outputs.double().nan_to_num(math.inf, math.inf, -math.inf).cpu().numpy())


def _numbers(curve: Curve) -> Curve:
    """A whole curve with NaN for outputs that are no numbers."""
    return np.where(np.isfinite(curve), curve, np.nan)
