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


def means(scores: Array, seed: int = 0) -> Means:
    """Means of scores (entry, ..., seed, image) with 95% intervals.

    Over images: the studentised bootstrap (Efron and Tibshirani, 1993, section 12.5), which keeps its level for
    skewed scores where the percentile bootstrap and BCa fall below it; Wilson's interval where every score of
    every entry is 0 or 1; Student's t below 20 images. Over seeds: three trainings are too few to resample, so
    that their component of variance (two-way analysis of variance) widens the interval by Student's t with
    seeds - 1 degrees of freedom, joined by MOVER (Zou and Donner, 2008). One image, or no variance, has none.
    """
    shape = scores.shape[:-2]
    cells = scores.reshape(-1, *scores.shape[-2:])
    flat = over_seeds(cells)
    known = np.isfinite(flat)
    count = known.sum(1)
    mean = ratio(np.where(known, flat, 0).sum(1), count)
    squares = np.where(known, flat - mean[:, None], 0) ** 2
    deviation = np.sqrt(squares.sum(1) / np.maximum(count - 1, 1))
    whole = ~known | (np.abs(flat) < _ROUNDING) | (np.abs(flat - 1) < _ROUNDING)
    binary = np.broadcast_to(whole.all(1).reshape(shape).all(0), shape).reshape(-1)
    below, above = _bootstrap(flat, known, mean, deviation, seed)
    student = quantile_t(count - 1) * deviation / np.sqrt(np.maximum(count, 1))
    below, above = np.where(count < _FEW, student, below), np.where(count < _FEW, student, above)
    wilson_below, wilson_above = _wilson(mean, count)
    below, above = np.where(binary, wilson_below, below), np.where(binary, wilson_above, above)
    if cells.shape[1] > 1:
        variance, trainings = seed_variance(cells)
        widened = quantile_t(trainings - 1) ** 2 * variance
        below, above = np.sqrt(below**2 + widened), np.sqrt(above**2 + widened)
    silent = (count < 2) | (~binary & (deviation <= 1e-12 * np.abs(mean)))
    low, high = np.where(silent, np.nan, mean - below), np.where(silent, np.nan, mean + above)
    return Means(mean.reshape(shape), low.reshape(shape), high.reshape(shape), count.reshape(shape))


def over_seeds(scores: Array) -> Array:
    """Scores (..., image): the mean over the seeds that have one, NaN where none has."""
    if scores.shape[-2] == 1:
        return scores[..., 0, :]
    known = np.isfinite(scores)
    return ratio(np.where(known, scores, 0).sum(-2), known.sum(-2))


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


def _wilson(mean: Array, count: Counts) -> tuple[Array, Array]:
    z = float(stats.norm.ppf((1 + LEVEL) / 2))
    n = np.maximum(count, 1)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(mean * (1 - mean), 0) / n + (z / (2 * n)) ** 2)
    return mean - centre + half, centre + half - mean
