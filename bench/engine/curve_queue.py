"""The points of perturbation curves as one queue of full chunks through a network."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Network, Plan, Precision
from bench.engine.adaptive import Curve, Points, first_points, next_points
from bench.engine.memory import room_for
from bench.engine.perturb import Replacing
from bench.engine.predict import forward, forwards_only
from bench.functional.outputs import target_outputs

# Bytes of perturbed images that are handled together: many small images at once, few enough to stay in the cache. Of
# large images there are as many at least as are drawn together.
_BUFFER, _FEWEST = 4 * 2**20, 8
_NONE: Points = np.empty(0, np.int64)


@dataclass(frozen=True)
class Batch:
    """The images that all curves share, each once, found by id."""

    network: Network
    images: Tensor
    targets: Tensor
    clean: Tensor
    position: dict[str, int]


@dataclass(frozen=True)
class Job:
    """The curve of one image: its plan, the order in which pixels (or values) are replaced, its row in the batch."""

    plan: Plan
    order: Tensor
    row: int


@dataclass(frozen=True)
class Queue:
    """The curves of all jobs on one batch, and what pixels are replaced by, by name. NaN is a point not known yet."""

    batch: Batch
    jobs: Sequence[Job]
    substrates: dict[str, Tensor]

    @contextmanager
    def ready(self, precision: Precision) -> Iterator["Queue"]:
        """The queue by the network in its fastest form of this precision."""
        network = replace(self.batch.network, precision=precision)
        with forwards_only(network, self.batch.images) as fastest:
            yield replace(self, batch=replace(self.batch, network=fastest))

    def ends(self) -> list[Curve]:
        """A curve for each job, NaN but where nothing or everything has been replaced."""
        batch, outputs = self.batch, {}
        wanted = {job.plan.output for job in self.jobs}
        for name, shown in self.substrates.items():
            logits = batch.clean if name == "image" else forward(batch.network, shown, batch.network.chunk)[0]
            logits = logits.expand(len(batch.images), -1)
            for output in wanted:
                outputs[name, output] = _known(target_outputs(logits, batch.targets, output, batch.network.output))
        curves = []
        for job in self.jobs:
            counts = np.array(job.plan.counts)
            curve = np.full(len(counts), np.nan)
            curve[counts <= 0] = outputs[job.plan.start, job.plan.output][job.row]
            curve[counts >= len(job.order)] = outputs[job.plan.end, job.plan.output][job.row]
            curves.append(curve)
        return curves

    def follow(self, curves: list[Curve], which: Sequence[bool]) -> int:
        """Predict as many points of these curves as their plans ask for; how many that were."""
        wanted = [
            _first(job, curve) if own else _NONE for job, curve, own in zip(self.jobs, curves, which, strict=True)
        ]
        points = 0
        while any(map(len, wanted)):
            points += sum(map(len, wanted))
            self.fill(curves, wanted)
            wanted = [_next(job, own, known) for job, own, known in zip(self.jobs, curves, wanted, strict=True)]
        return points

    def fill(self, curves: list[Curve], wanted: Sequence[Points]) -> None:
        """Predict the wanted points of all curves and write them there; the host waits for the device once."""
        batch, jobs = self.batch, self.jobs
        rows = torch.tensor([job.row for job in jobs]).repeat_interleave(torch.tensor(list(map(len, wanted))))
        targets = batch.targets[rows.to(batch.targets.device)]
        kinds = sorted({job.plan.output for job in jobs})
        values = torch.empty(len(kinds), len(targets), dtype=batch.clean.dtype, device=batch.images.device)
        done, limit = 0, batch.network.chunk
        for shown in self._chunks(wanted):
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

    def _chunks(self, wanted: Sequence[Points]) -> Iterator[Tensor]:
        """The perturbed images of all wanted points, in order, in one reused buffer that holds some full chunks."""
        batch, substrates = self.batch, self.substrates
        chunk = batch.network.chunk
        room = chunk * math.ceil(max(_BUFFER / batch.images[0].nbytes, _FEWEST) / chunk)
        buffer = room_for(room, batch.images)
        filled = 0
        for job, points in zip(self.jobs, wanted, strict=True):
            if not points.size:
                continue
            start, end = substrates[job.plan.start], substrates[job.plan.end]
            counts = [job.plan.counts[point] for point in points]
            replacing = Replacing(job.order, start[job.row % len(start)][None], end[job.row % len(end)][None], counts)
            while replacing.drawn < len(counts):
                take = min(room - filled, len(counts) - replacing.drawn)
                replacing.draw(buffer[filled : filled + take])
                filled += take
                if filled == room:
                    yield buffer
                    filled = 0
        if filled:
            yield buffer[:filled]


def _first(job: Job, curve: Curve) -> Points:
    return np.flatnonzero(np.isnan(curve)) if job.plan.tolerance is None else first_points(curve)


def _next(job: Job, curve: Curve, known: Points) -> Points:
    tolerance = job.plan.tolerance
    return _NONE if tolerance is None or not known.size else next_points(curve, tolerance)


def _known(outputs: Tensor) -> Curve:
    """Outputs with infinity for what is no number, because NaN stands for a point that is not known yet."""
    return np.asarray(outputs.double().nan_to_num(math.inf, math.inf, -math.inf).cpu().numpy())
