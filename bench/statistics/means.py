"""From per-image scores to means and intervals. Arrays in, arrays out.

Scores are (..., seed, image): the images are the sample, and the training seeds, where there are several, a
second one. NaN marks a score that was refused; every statistic uses what it has.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]
LEVEL = 0.95
RESAMPLES = 4000
_CHUNK = 250
_FEW = 20
_ROUNDING = 1e-9
_SMALLEST = -1000
_STEP = float(np.finfo(np.float32).eps)


@dataclass(frozen=True)
class Means:
    """Means with the ends of their 95% intervals and the number of images; NaN where nothing can be said."""

    mean: Array
    low: Array
    high: Array
    images: Counts

    def within(self, lowest: float, highest: float) -> "Means":
        """The same with the ends of intervals cut to what such a score can be."""
        return replace(self, low=self.low.clip(lowest, highest), high=self.high.clip(lowest, highest))


def rounding(scores: Array) -> float:
    """How far apart two of these scores may be by rounding alone: a step of single precision at their median size."""
    sizes = np.abs(scores[np.isfinite(scores) & (scores != 0)])
    return _STEP * float(np.median(sizes)) if sizes.size else 0.0


def power_of_two(values: Array) -> float:
    """A unit in which the largest of these values is about 1: neither squares nor sums leave the range then."""
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0))
    return 2.0 ** max(np.floor(np.log2(largest)), _SMALLEST) if largest else 1.0


def means(scores: Array, seed: int = 0) -> Means:
    """Means of scores (entry, ..., seed, image) with 95% intervals.

    Over images: the studentised bootstrap (Efron and Tibshirani, 1993, section 12.5), which keeps its level for
    skewed scores where the percentile bootstrap and BCa fall below it; Wilson's interval where every score of
    every entry is 0 or 1; Student's t below 20 images. Over seeds: three trainings are too few to resample, so
    that their component of variance (two-way analysis of variance) widens the interval by Student's t with
    seeds - 1 degrees of freedom, joined by MOVER (Zou and Donner, 2008). One image, or no variance, has none.
    """
    shape, unit = scores.shape[:-2], power_of_two(scores)
    cells = scores.reshape(-1, *scores.shape[-2:]) / unit
    flat = over_seeds(cells)
    known = np.isfinite(flat)
    count = known.sum(1)
    mean = ratio(np.where(known, flat, 0).sum(1), count)
    squares = np.where(known, flat - mean[:, None], 0) ** 2
    deviation = np.sqrt(squares.sum(1) / np.maximum(count - 1, 1))
    binary = _binary((flat * unit).reshape(*shape, -1)).reshape(-1)
    below, above = _bootstrap(flat, known, mean, deviation, seed)
    student = quantile_t(count - 1) * deviation / np.sqrt(np.maximum(count, 1))
    below, above = np.where(count < _FEW, student, below), np.where(count < _FEW, student, above)
    wilson_below, wilson_above = _wilson(np.where(binary, mean, 0) * unit, count)
    below, above = np.where(binary, wilson_below / unit, below), np.where(binary, wilson_above / unit, above)
    if cells.shape[1] > 1:
        variance, trainings = seed_variance(cells)
        widened = quantile_t(trainings - 1) ** 2 * variance
        below, above = np.sqrt(below**2 + widened), np.sqrt(above**2 + widened)
    silent = (count < 2) | (~binary & (deviation <= 1e-12 * np.abs(mean)))
    low, high = np.where(silent, np.nan, mean - below), np.where(silent, np.nan, mean + above)
    mean, low, high = (unit * ends.reshape(shape) for ends in (mean, low, high))
    return Means(mean, low, high, count.reshape(shape))


def over_seeds(scores: Array) -> Array:
    """Scores (..., image): the mean over the seeds that have one, NaN where none has."""
    if scores.shape[-2] == 1:
        return scores[..., 0, :]
    return mean_of_known(scores, -2)


def mean_of_known(scores: Array, axis: int | tuple[int, ...]) -> Array:
    """The mean along axes of the scores that are there, NaN where none is."""
    known = np.isfinite(scores)
    return ratio(np.where(known, scores, 0).sum(axis), known.sum(axis))


def ratio(part: NDArray[Any], whole: NDArray[Any], otherwise: float = np.nan) -> Array:
    """`part` over `whole`, and something else where `whole` is not positive."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.asarray(np.divide(part, whole, out=np.full(whole.shape, float(otherwise)), where=whole > 0))


def seed_variance(cells: Array) -> tuple[Array, Counts]:
    """Variance of a mean that comes from training anew, and how many trainings there were, for (cell, seed, image).

    The component of the seeds in a two-way analysis of variance without replication, over the number of seeds;
    from the images that every seed of the cell has scored.
    """
    trainings = np.isfinite(cells).any(2).sum(1)
    variance = np.zeros(len(cells))
    for row in np.flatnonzero(trainings > 1):
        own = cells[row][np.isfinite(cells[row]).any(1)]
        own = own[:, np.isfinite(own).all(0)]
        if own.shape[1] > 1:
            covariance, residual = seed_covariances(own[None])
            variance[row] = max(covariance[0, 0] - residual[0, 0], 0)
    return variance, trainings


def seeds_of_differences(scores: Array, run: Counts) -> tuple[Array, Array]:
    """The variance of each difference of scores (entry, seed, image) by training anew, and its degrees of freedom.

    Those of the run with fewer seeds: Welch's are too many for tests as strict as Holm's with three seeds. For the
    same reason the part that images alone would cause is not taken off: the difference of two estimates from three
    seeds is too often close to nothing. No degrees where two entries of a run of several seeds share but one.
    """
    entries, seeds, _ = scores.shape
    own, freedom = np.zeros(entries), np.ones(entries)
    within, shared = np.zeros((entries, entries)), np.ones((entries, entries))
    for number in np.unique(run) if seeds > 1 else []:
        rows = np.flatnonzero(run == number)
        part = scores[rows][:, np.isfinite(scores[rows]).any((0, 2))]
        trained, among = part.shape[1], np.ix_(rows, rows)
        if trained < 2:
            continue
        freedom[rows] = shared[among] = trained - 1
        if np.isfinite(part).all():
            by_seed = part.mean(2)
            apart = by_seed[:, None] - by_seed[None, :]
            own[rows], within[among] = by_seed.var(1, ddof=1) / trained, apart.var(2, ddof=1) / trained
            continue
        for at, row in enumerate(rows):
            own[row], freedom[row] = _by_seeds(part[at])
            for to, other in enumerate(rows[:at]):
                found = _by_seeds(part[at] - part[to])
                within[row, other], shared[row, other] = within[other, row], shared[other, row] = found
    together = run[:, None] == run[None, :]
    apart_freedom = np.maximum(np.minimum(freedom[:, None], freedom[None, :]), 1)
    return np.where(together, within, own[:, None] + own[None, :]), np.where(together, shared, apart_freedom)


def _by_seeds(scores: Array) -> tuple[float, int]:
    """The variance by seeds of the mean of scores (seed, image), over the images that all have, and its freedom."""
    known = scores[np.isfinite(scores).any(1)]
    seeds, common = len(known), known[:, np.isfinite(known).all(0)]
    if seeds < 2:
        return 0.0, 0
    by_seed = over_seeds((common if common.shape[1] else known).T[None])[0]
    return float(by_seed.var(ddof=1) / seeds), seeds - 1


def seed_covariances(scores: Array) -> tuple[Array, Array]:
    """For scores (entry, seed, image) without gaps: how the means of entries vary together over seeds, (entry, entry).

    And the part of it that images alone would cause; the difference is the seeds' own.
    """
    _, seeds, images = scores.shape
    by_seed = scores.mean(2)
    deviation = by_seed - by_seed.mean(1, keepdims=True)
    rest = (scores - scores.mean(1, keepdims=True) - deviation[:, :, None]).reshape(len(scores), -1)
    covariance = deviation @ deviation.T / (seeds - 1) / seeds
    residual = rest @ rest.T / ((seeds - 1) * (images - 1)) / (seeds * images)
    return covariance, residual


def quantile_t(freedom: NDArray[np.number]) -> Array:
    """The upper end of the central 95% of Student's t."""
    return np.asarray(stats.t.ppf((1 + LEVEL) / 2, np.maximum(freedom, 1)))


def resampled(rng: np.random.Generator, resamples: int, images: int) -> Array:
    """How often each image is drawn, (resamples, images): as many draws as images, with replacement."""
    drawn = rng.integers(0, images, (resamples, images)) + np.arange(resamples)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(float)


def _bootstrap(flat: Array, known: Mask, mean: Array, deviation: Array, seed: int) -> tuple[Array, Array]:
    """How far the interval reaches below and above each mean; every row resamples the same images.

    A resample without variance has no studentised mean; where such resamples decide an end, the interval
    reaches to the lowest or highest score.
    """
    images = flat.shape[1]
    standard = np.where(known, (flat - mean[:, None]) / np.where(deviation > 0, deviation, 1)[:, None], 0).T
    squares, present = standard**2, known.T.astype(float)
    rng = np.random.default_rng(seed)
    roots = np.empty((RESAMPLES, len(flat)))
    for start in range(0, RESAMPLES, _CHUNK):
        weights = resampled(rng, _CHUNK, images)
        count = np.full((1, 1), float(max(images, 2))) if known.all() else np.maximum(weights @ present, 2)
        centre = weights @ standard / count
        error = np.sqrt(np.maximum(weights @ squares / count - centre**2, 0) / (count - 1))
        infinite = np.copysign(np.inf, centre)
        roots[start : start + _CHUNK] = np.divide(centre, error, out=infinite, where=error > 1e-9)
    roots.sort(axis=0)
    tail = round((1 - LEVEL) / 2 * RESAMPLES)
    first, last = roots[tail - 1], roots[-tail]
    error = deviation / np.sqrt(np.maximum(known.sum(1), 1))
    lowest, highest = np.where(known, flat, np.inf).min(1), np.where(known, flat, -np.inf).max(1)
    below = np.multiply(last, error, out=mean - lowest, where=np.isfinite(last))
    above = np.multiply(-first, error, out=highest - mean, where=np.isfinite(first))
    return below, above


def _binary(flat: Array) -> Mask:
    """Which scores (entry, ..., image) are 0 or 1 but for rounding, those of all entries; small ones alone are not."""
    one, nothing = np.abs(flat - 1) < _ROUNDING, flat == 0
    near = (np.abs(flat) < _ROUNDING) & one.any((0, -1), keepdims=True)
    whole = (~np.isfinite(flat) | one | nothing | near).all((0, -1), keepdims=True)
    return np.asarray(np.broadcast_to(whole, (*flat.shape[:-1], 1))[..., 0])


def _wilson(mean: Array, count: Counts) -> tuple[Array, Array]:
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    n = np.maximum(count, 1)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(mean * (1 - mean), 0) / n + (z / (2 * n)) ** 2)
    return mean - centre + half, centre + half - mean
