"""Which points of a curve of probabilities, computed in bf16, are computed again in fp32.

An error of the log-odds moves a probability p by p(1 - p) times as much: where p is near 0 or 1 bf16 is as good as
exact. The error is measured on the points of a curve that were computed twice, its most undecided ones to begin with;
then as many follow as it takes until what all others may move the area by is within a tolerance, or within a quarter of
an adaptive curve's own. Where logits are so large that probabilities jump, nothing is told by bf16, and all of the
curve is that of fp32. A curve is decided upon by itself. Not known, or not computed in that precision, is NaN; what is
no number is infinite.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import compress, starmap
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Plan
from bench.engine.adaptive import Curve, Points
from bench.engine.curve_queue import Queue
from bench.functional.curve_areas import area_of

C = TypeVar("C")
_PROBES = 8
# Errors of points that were not computed twice are taken for so many root mean squares of those that were.
_CAUTION = 2.0
# So much of the tolerance is aimed at, so that a better known error seldom asks for a few points more.
_AIM = 0.8
# Areas of adaptive curves lie within half of their tolerance in 99 of 100 cases.
_OF_ADAPTIVE = 0.25
_SMALLEST = float(np.finfo(np.float32).eps)
# Log-odds that differ by more do not by rounding, or logits are so large that rounding says nothing.
_LARGEST = 8.0


@dataclass(frozen=True)
class Drawn(Generic[C]):
    """Curves, float64 (points,) for each job of a queue or (batch, points) for each asked for, and how they were made.

    `points` were predicted between the ends, `again` of them a second time in fp32; by `off` of its range the worst of
    the areas may lie from the one in fp32.
    """

    curves: list[C]
    points: int
    again: int = 0
    off: float = 0.0


def is_quick_in_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself; where it does not, mixed precision is fp32 throughout."""
    if device.type != "cpu":
        return True
    can = torch.cpu.get_capabilities()
    # On other processors than x86 nothing is known of it.
    return can.get("architecture") != "x86_64" or bool(can.get("avx512_bf16") or can.get("amx_bf16"))


def in_one_precision(queue: Queue) -> Drawn[Curve]:
    """All points in the precision of the network."""
    with queue.ready(queue.batch.network.precision) as ready:
        curves = ready.ends()
        return Drawn(curves, ready.follow(curves, [True] * len(curves)))


def in_two_precisions(queue: Queue) -> Drawn[Curve]:
    """Probabilities in bf16, and again in fp32 where these decide; what is known before, and logits, in fp32."""
    plans = [job.plan for job in queue.jobs]
    quick = is_quick_in_bf16(queue.batch.images.device)
    mixed = [quick and _allows(plan) for plan in plans]
    with queue.ready("fp32") as ready:
        ends = ready.ends()
        exacts, lows = ([curve.copy() for curve in ends] for _ in range(2))
        points = ready.follow(exacts, [not own for own in mixed])
    with queue.ready("bf16") as ready:
        points += ready.follow(lows, mixed)
    lows = [np.where(np.isnan(exact), low, np.nan) for low, exact in zip(lows, exacts, strict=True)]
    curves, again = list(zip(lows, exacts, plans, strict=True)), 0
    allowed = [_allowed(plan, queue.batch.network.tolerance) for plan in plans]
    with queue.ready("fp32") as ready:
        while any(map(len, wanted := [undecided(*own, off) for own, off in zip(curves, allowed, strict=True)])):
            again += sum(map(len, wanted))
            ready.fill(exacts, wanted)
        lost = [own and jumps(*both) for own, *both in zip(mixed, lows, exacts, strict=True)]
        for low, exact, end in compress(zip(lows, exacts, ends, strict=True), lost):
            low[:], exact[:] = np.nan, end
        again += ready.follow(exacts, lost)
    return Drawn([_merged(*own[:2]) for own in curves], points, again, max(starmap(may_be_off, curves), default=0.0))


def _allows(plan: Plan) -> bool:
    """Whether the score is an area of probabilities, which a bound can be given for."""
    return plan.output == "probability" and plan.area != "rising"


def _allowed(plan: Plan, tolerance: float) -> float:
    """How far rounding may move the area: at least a share of what an adaptive curve may be off by anyway."""
    return max(tolerance, _OF_ADAPTIVE * (plan.tolerance or 0.0))


def undecided(low: Curve, exact: Curve, plan: Plan, tolerance: float) -> Points:
    """Points that are known from `low` precision only, and are wanted in `exact` precision next."""
    once = ~np.isnan(low) & np.isnan(exact)
    twice = ~np.isnan(low) & ~np.isnan(exact)
    if not once.any() or jumps(low, exact):
        return np.flatnonzero(once)[:0]
    moves = _moves(low, exact, plan)
    by_move = np.argsort(np.where(once, -moves, np.inf), kind="stable")[: once.sum()]
    if twice.sum() < _PROBES:
        return np.sort(by_move[: _PROBES - twice.sum()])
    if moves[once].sum() <= tolerance:
        return by_move[:0]
    left = np.cumsum(moves[by_move][::-1])[::-1]
    return np.sort(by_move[left > _AIM * tolerance])


def jumps(low: Curve, exact: Curve) -> bool:
    """Whether logits are too large for the one precision to tell of the other.

    Two that differ by more than rounding, or a probability that leaps from 0 to 1 or back between two points.
    """
    merged = _merged(low, exact)
    known = merged[np.isfinite(merged)]
    none, sure = known <= _SMALLEST, known >= 1 - _SMALLEST
    return bool((none[1:] & sure[:-1] | none[:-1] & sure[1:]).any()) or bool(np.isinf(_error(low, exact)))


def may_be_off(low: Curve, exact: Curve, plan: Plan) -> float:
    """How far the area may be off, as a share of its range: the sum of what each point known from `low` may move."""
    return float(_moves(low, exact, plan)[~np.isnan(low) & np.isnan(exact)].sum())


def _merged(low: Curve, exact: Curve) -> Curve:
    """The exact points, and those of low precision between them."""
    known: Curve = np.where(np.isnan(exact), low, exact)
    return known


def _moves(low: Curve, exact: Curve, plan: Plan) -> Curve:
    """What each point may move the area by, as a share of the area's range, if `low` is all that is known of it."""
    known = _merged(low, exact)
    unsure = np.exp(_CAUTION * min(_error(low, exact), _LARGEST))
    inside = np.where(np.isfinite(low), low, 0.0)
    least, most = (inside * factor / (1 - inside + inside * factor) for factor in (1 / unsure, unsure))
    move = np.maximum(inside - least, most - inside)
    weights = _weights(plan, tuple(np.flatnonzero(~np.isnan(known)).tolist()))
    return np.where(np.isinf(low), np.inf, move * weights)


def _error(low: Curve, exact: Curve) -> float:
    """Root mean square of the error of the log-odds, where both are known; 0 where they agree, 1 if that is nowhere.

    Infinite where it is no error of rounding, or all that is known are probabilities of 0 and 1, which do not tell.
    """
    twice = np.isfinite(low) & np.isfinite(exact)
    if not twice.any():
        return 1.0
    if not (_tells(low[twice]) | _tells(exact[twice])).any():
        return np.inf
    twice &= low != exact
    errors = _log_odds(low[twice]) - _log_odds(exact[twice])
    error = float(np.sqrt(np.mean(errors**2))) if twice.any() else 0.0
    return error if np.abs(errors).max(initial=0) <= _LARGEST else np.inf


def _tells(probabilities: Curve) -> NDArray[np.bool_]:
    """Which probabilities single precision can tell from 0 and 1."""
    return (probabilities > 0) & (probabilities < 1 - _SMALLEST)


def _log_odds(probabilities: Curve) -> Curve:
    inside = probabilities.clip(_SMALLEST, 1 - _SMALLEST)
    odds: Curve = inside / (1 - inside)
    return np.log(odds)


@lru_cache(maxsize=64)
def _weights(plan: Plan, known: tuple[int, ...]) -> Curve:
    """How much each of the known points decides of the area, straight in between; 1 in all."""
    with torch.inference_mode(False), torch.enable_grad():
        curve = torch.zeros(1, len(plan.counts), dtype=torch.float64, requires_grad=True)
        (every,) = torch.autograd.grad(area_of(curve, plan.area, plan.counts).sum(), curve)
    place = np.interp(np.arange(len(plan.counts)), known, np.arange(len(known)))
    left = place.astype(np.int64)
    right, beyond, slope = np.minimum(left + 1, len(known) - 1), place - left, every[0].numpy()
    own = np.bincount(left, (1 - beyond) * slope, len(known)) + np.bincount(right, beyond * slope, len(known))
    weights = np.zeros(len(plan.counts))
    weights[list(known)] = np.abs(own) / np.abs(own).sum()
    return weights
