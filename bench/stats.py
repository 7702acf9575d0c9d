"""From per-image scores to intervals. Arrays in, arrays out; the last axis is always the images.

NaN marks a score that was refused; every statistic uses the images it has.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
_CHUNK = 250
_FEW = 20


@dataclass(frozen=True)
class Means:
    """Means with the ends of their intervals and the number of images; NaN where nothing can be said."""

    mean: Array
    low: Array
    high: Array
    images: NDArray[np.int64]


def means(scores: Array, seed: int = 0) -> Means:
    """Means over the images of `scores` (..., images) with 95% intervals.

    The interval is the studentised bootstrap (Efron and Tibshirani, 1993, section 12.5), which keeps its level
    for skewed scores where the percentile bootstrap and BCa do not; Wilson's where every score is 0 or 1;
    Student's t below 20 images. One image, or no variance at all, has no interval.
    """
    flat = scores.reshape(-1, scores.shape[-1])
    known = np.isfinite(flat)
    count = known.sum(1)
    mean, deviation = _moments(flat, known, count)
    low, high = _bootstrap(flat, known, mean, deviation, seed)
    few = stats.t.ppf((1 + LEVEL) / 2, np.maximum(count - 1, 1)) * deviation / np.sqrt(np.maximum(count, 1))
    low, high = np.where(count < _FEW, mean - few, low), np.where(count < _FEW, mean + few, high)
    binary = (~known | (flat == 0) | (flat == 1)).all(1)
    wilson_low, wilson_high = _wilson(mean, count)
    low, high = np.where(binary, wilson_low, low), np.where(binary, wilson_high, high)
    silent = (count < 2) | (~binary & ~(deviation > 0))
    low[silent] = high[silent] = np.nan
    shape = scores.shape[:-1]
    return Means(mean.reshape(shape), low.reshape(shape), high.reshape(shape), count.reshape(shape))


def _moments(flat: Array, known: NDArray[np.bool_], count: NDArray[np.int64]) -> tuple[Array, Array]:
    mean = np.where(known, flat, 0).sum(1) / np.where(count, count, np.nan)
    squares = np.where(known, flat - mean[:, None], 0) ** 2
    return mean, np.sqrt(squares.sum(1) / np.maximum(count - 1, 1))


def _bootstrap(flat: Array, known: NDArray[np.bool_], mean: Array, deviation: Array, seed: int) -> tuple[Array, Array]:
    """Ends of the studentised bootstrap; the same resampled images for every row."""
    images = flat.shape[1]
    scale = np.where(deviation > 0, deviation, 1)
    standard = np.where(known, (flat - mean[:, None]) / scale[:, None], 0).T
    whole = bool(known.all())
    squares, present = standard**2, known.T.astype(float)
    rng = np.random.default_rng(seed)
    roots = np.empty((RESAMPLES, len(flat)))
    for start in range(0, RESAMPLES, _CHUNK):
        weights = resampled(rng, _CHUNK, images)
        count = np.full((1, 1), float(images)) if whole else np.maximum(weights @ present, 2)
        centre = weights @ standard / count
        variance = (weights @ squares / count - centre**2) / (count - 1)
        error = np.sqrt(np.maximum(variance, 0))
        roots[start : start + _CHUNK] = np.divide(centre, error, out=np.copysign(np.inf, centre), where=error > 1e-9)
    tail = (1 - LEVEL) / 2
    first, last = np.quantile(roots, [tail, 1 - tail], axis=0, method="closest_observation")
    error = scale / np.sqrt(np.maximum(known.sum(1), 1))
    lowest = np.where(known, flat, np.inf).min(1)
    highest = np.where(known, flat, -np.inf).max(1)
    low = np.where(np.isfinite(last), mean - last * error, lowest)
    high = np.where(np.isfinite(first), mean - first * error, highest)
    return low, high


def resampled(rng: np.random.Generator, resamples: int, images: int) -> Array:
    """How often each image is drawn, (resamples, images): draws of as many images, with replacement."""
    drawn = rng.integers(0, images, (resamples, images)) + np.arange(resamples)[:, None] * images
    return np.bincount(drawn.ravel(), minlength=resamples * images).reshape(resamples, images).astype(float)


def _wilson(mean: Array, count: NDArray[np.int64]) -> tuple[Array, Array]:
    z = stats.norm.ppf((1 + LEVEL) / 2)
    n = np.maximum(count, 1)
    centre = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(np.maximum(mean * (1 - mean), 0) / n + (z / (2 * n)) ** 2)
    return centre - half, centre + half
