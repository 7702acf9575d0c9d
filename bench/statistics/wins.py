"""Ranking over metrics that share no scale: how often an entry beats the others on the same image.

On each image and under each metric an entry is compared with every competing method; the share it wins (ties
count half) is its rank there, rescaled to [0, 1] (Friedman's ranks; Borda's count). Averaged over images and,
by weight, over metrics, it is the chance to beat a random method on a random image: a mean of bounded per-image
numbers, so that the same intervals and paired tests hold for it as for a single metric. What rounding alone may cause
is no win: single precision puts equal maps apart by 1e-9, on every image to the same side.
"""

import numpy as np
from numpy.typing import NDArray

from bench.statistics.means import Array, Counts, ratio, rounding


def wins(quality: Array, opponents: list[int], stops: Counts | None = None) -> Array:
    """The share of `opponents` that each entry beats, (entry, metric, seed, image), for `quality` of that shape.

    Entries meet on the same image and the same seed; an opponent without a score there is left out. Where entries were
    left off after some of the images, `stops` (entry, metric), the mean of the meetings that there were stands for
    those that there would have been: what is said of the others stays about the same opponents.
    """
    if stops is not None:
        return _wins_with_stops(quality, opponents, stops)
    points = np.zeros(quality.shape, np.float32)
    met = np.zeros(quality.shape, np.float32)
    near = _near(quality)
    for opponent in opponents:
        theirs = quality[opponent]
        there = np.isfinite(theirs)
        for entry in range(len(quality)):
            if entry != opponent:
                points[entry] += _won(quality[entry], theirs, near)
                met[entry] += there
    met[~np.isfinite(quality)] = 0
    return ratio(points, met)


def _wins_with_stops(quality: Array, opponents: list[int], stops: Counts) -> Array:
    points, met = np.zeros(quality.shape), np.zeros(quality.shape)
    images, near = np.arange(quality.shape[3]), _near(quality)
    for opponent in opponents:
        theirs = quality[opponent]
        gone = stops[opponent][:, None, None] <= images
        for entry, own in enumerate(quality):
            if entry == opponent:
                continue
            both = np.isfinite(own) & np.isfinite(theirs)
            won = _won(own, theirs, near)
            count = both.sum(2, keepdims=True)
            mean = ratio(np.where(both, won, 0).sum(2, keepdims=True), count, 0)
            longer = ratio(count + (np.isfinite(own) & gone).sum(2, keepdims=True), count, 1)
            points[entry] += np.where(both, mean + (won - mean) * longer, np.where(gone, mean, 0))
            met[entry] += both | (gone & (count > 0))
    met[~np.isfinite(quality)] = 0
    return ratio(points, met)


def _near(quality: Array) -> Array:
    """How far apart two scores of a metric on a network may be and be the same, (metric, seed, 1)."""
    _, metrics, seeds, _ = quality.shape
    return np.array([[[rounding(quality[:, m, seed])] for seed in range(seeds)] for m in range(metrics)])


def _won(own: Array, theirs: Array, near: Array) -> NDArray[np.float32]:
    """1 where `own` is above `theirs`, a half where they are the same."""
    return np.float32(0.5) * ((own > theirs + near) + (own >= theirs - near).astype(np.float32))


def overall_scores(shares: Array, weights: Array, ends: Counts | None = None) -> Array:
    """Weighted wins over metrics (entry, seed, image) of `shares` (entry, metric, seed, image).

    Where an image lacks a metric, its place is taken by the mean and the images that have it count for more (the
    linearised form), so that the mean over images is the weighted mean of the metrics' own means. An entry that
    lacks a weighted metric altogether is NaN: a method that fails where it is hard may not gain by it. `ends`: how many
    of the images each entry has come to, where not to all; NaN on the others.
    """
    images = np.arange(shares.shape[3])
    come = np.full(len(shares), len(images)) if ends is None else ends
    total = np.zeros((shares.shape[0], *shares.shape[2:]))
    seeds = np.asarray(np.isfinite(shares).any((1, 3)))
    for metric in np.flatnonzero(weights):
        own = shares[:, metric]
        known = np.isfinite(own)
        count = known.sum((1, 2))
        mean = ratio(np.where(known, own, 0).sum((1, 2)), count)
        slots = seeds.sum(1) * come
        scale = ratio(slots, count, 1)
        deviation = np.where(known, own - mean[:, None, None], 0) * scale[:, None, None]
        total += weights[metric] * (mean[:, None, None] + deviation)
    total[~(seeds[:, :, None] & (images < come[:, None, None]))] = np.nan
    return total if weights.any() else np.full_like(total, np.nan)
