"""Perturbation curves: images x methods x metrics x steps through a network as one queue of full chunks.

At each point of a curve the `count` pixels of highest rank show the end substrate, the others the start. Where
nothing or everything has been replaced that does not depend on the map: predicted once per image, shared by all curves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Explained, ImageRandom, Plan
from bench.engine.adaptive import Curve, straightened
from bench.engine.curve_queue import Batch, Job, Queue
from bench.engine.mixed_precision import Drawn, in_one_precision, in_two_precisions
from bench.engine.substrates import substrate
from bench.functional.heatmaps import Ties, pixels_by_rank


@dataclass(frozen=True)
class Ranked:
    """What a perturbation metric asks of the engine: explanations, its plan, and the maps whose pixels are ranked.

    `maps` are (batch, height, width), or one channel below the other where the channels of a pixel go one by one.
    """

    explained: Explained
    plan: Plan
    maps: Tensor


def drawn(asked: Sequence[Ranked]) -> Drawn[Tensor]:
    """The curves of the images that each asks for, in order.

    They are explanations of one network and one batch: the same id stands for the same image and target.
    """
    one_way = _curves_one_way([one for own in asked for one in _one_way(own)])
    curves = iter(one_way.curves)
    both = [next(curves) - next(curves) if own.plan.order == "both" else next(curves) for own in asked]
    return replace(one_way, curves=both)


def _one_way(asked: Ranked) -> list[Ranked]:
    """What is asked for, lowest first and then highest first where both are."""
    if asked.plan.order != "both":
        return [asked]
    return [replace(asked, plan=replace(asked.plan, order=order)) for order in ("ascending", "descending")]


def _curves_one_way(asked: Sequence[Ranked]) -> Drawn[Tensor]:
    if not asked:
        return Drawn([], 0)
    batch = _batch([own.explained for own in asked])
    jobs = _jobs(asked, batch)
    names = dict.fromkeys(name for job in jobs for name in (job.plan.start, job.plan.end))
    queue = Queue(batch, jobs, {name: substrate(name)(batch.images) for name in names})
    found = in_two_precisions(queue) if batch.network.precision == "mixed" else in_one_precision(queue)
    whole = iter([_numbers(straightened(curve)) for curve in found.curves])
    curves = [torch.from_numpy(np.stack([next(whole) for _ in own.explained.rng.image_ids])) for own in asked]
    return Drawn(curves, found.points, found.again, found.off)


def end_passes(plans: Sequence[Plan], images: Tensor) -> int:
    """How many images are predicted where nothing or everything has been replaced, for all curves of these images."""
    names = {name for plan in plans for name in (plan.start, plan.end)} - {"image"}
    return sum(len(substrate(name)(images)) for name in names)


def _batch(explanations: Sequence[Explained]) -> Batch:
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
        return Batch(first.network, first.images, first.targets, first.clean, position)
    return Batch(first.network, torch.stack(images), torch.stack(targets), torch.stack(clean), position)


def _jobs(asked: Sequence[Ranked], batch: Batch) -> list[Job]:
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
        jobs += [Job(plan, places, row) for places, row in zip(order, rows, strict=True)]
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


def _numbers(curve: Curve) -> Curve:
    """A whole curve with NaN for outputs that are no numbers."""
    return np.where(np.isfinite(curve), curve, np.nan)
