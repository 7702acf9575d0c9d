"""Which entries differ: paired tests, Holm's correction, groups, intervals of ranks, and how many images it takes."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.statistics.means import (
    Array,
    Counts,
    Mask,
    over_seeds,
    power_of_two,
    ratio,
    rounding,
    seeds_of_differences,
)

ALPHA = 0.05
POWER = 0.8
_HALVINGS = 34
_CANCELLED = 1e-6
_TINY = 1e-60


@dataclass(frozen=True)
class Pairs:
    """Every entry against every other, (entry, entry): row minus column, from the images that both have.

    `error` is the standard error of `difference`; `of_seeds` the part of its square that training anew causes;
    `p` the two-sided p-value, NaN where nothing can be tested; `images` how many images there are.
    """

    difference: Array
    error: Array
    of_seeds: Array
    p: Array
    images: Counts

    @property
    def equal(self) -> Mask:
        """Which pairs score the same on every image."""
        return np.asarray((self.difference == 0) & (self.error == 0))

    def among(self, rows: list[int]) -> "Pairs":
        """The same for some entries, in this order."""
        here = np.ix_(rows, rows)
        return Pairs(self.difference[here], self.error[here], self.of_seeds[here], self.p[here], self.images[here])


def paired(scores: Array, run: Counts) -> Pairs:
    """Paired tests of the means of all entries, for scores (entry, seed, image).

    `run` says by which trainings an entry came about: entries of one run share its seeds, those of different
    runs do not. What is said of seeds holds for networks as blocks, which all entries share. The p-value is the larger
    of two: Student's t, and t with Hall's (1992) correction for skewness. Either alone is too small for some
    distributions. Within a run of several seeds it is no smaller than that of the interval that joins images and seeds,
    each by its own t (MOVER; Zou and Donner, 2008): Welch's degrees of freedom are too many for two or three seeds.
    No p-value is below that of the sign test whose images all agree, 2^(1 - images that differ), so that few or tied
    images never pass for certainty; and entries that only rounding puts apart are the same.
    """
    unit = power_of_two(scores)
    scores = scores / unit
    flat = over_seeds(scores)
    count, difference, variance, skewness, sure = _moments(flat)
    near = rounding(flat)
    differing = _differing(flat, count, near)
    for one, other in np.argwhere(np.triu((~sure | _other_gaps(scores, run)) & (count > 0), 1)):
        apart = over_seeds(scores[one] - scores[other]) if run[one] == run[other] else flat[one] - flat[other]
        apart = apart[np.isfinite(apart)]
        where, back = (one, other), (other, one)
        count[where] = count[back] = len(apart)
        differing[where] = differing[back] = (np.abs(apart) > near).sum()
        difference[where], variance[where], skewness[where] = _moments_of(apart)
        difference[back], variance[back], skewness[back] = -difference[where], variance[where], -skewness[where]
    n = np.maximum(count, 1)
    of_seeds, seed_freedom = seeds_of_differences(scores, run)
    total = variance / n + of_seeds
    freedom = _freedom(variance / n, n - 1, of_seeds, seed_freedom)
    p = _p_values(difference, np.sqrt(total), skewness, n, freedom)
    shared = (run[:, None] == run[None, :]) & (of_seeds > 0)
    if shared.any():
        p[shared] = np.maximum(p, _joined(difference, variance / n, n - 1, of_seeds, seed_freedom, shared))[shared]
    p = np.maximum(p, np.minimum(1, 2.0 ** (1 - differing)))
    error = np.sqrt(total)
    rounded = np.maximum(np.abs(difference), error) <= near
    difference[rounded], error[rounded], p[rounded] = 0, 0, 1
    p[(count < 2) | (seed_freedom < 1)] = np.nan
    difference[count == 0] = np.nan
    with np.errstate(over="ignore"):  # squares of scores beyond 1e154
        return Pairs(difference * unit, error * unit, of_seeds * unit * unit, p, count.astype(np.int64))


def _moments(flat: Array) -> tuple[Array, Array, Array, Array, Mask]:
    """Of all differences at once: how many images, mean, variance and skewness, and where these are sure.

    They are not where two entries have so much more in common than they differ by that squares cancel.
    """
    known = np.isfinite(flat)
    present = known.astype(float)
    count = present @ present.T
    n = np.maximum(count, 1)
    centre = np.where(known, flat, 0).sum(1) / np.maximum(known.sum(1), 1)
    one = np.where(known, flat - centre[:, None], 0)
    two, three = one**2, one**3
    shift = (one @ present.T - present @ one.T) / n
    size = (two @ present.T + present @ two.T) / n
    second = size - 2 * one @ one.T / n
    third = (three @ present.T - present @ three.T - 3 * (two @ one.T - one @ two.T)) / n
    variance = np.maximum(second - shift**2, 0) * n / np.maximum(n - 1, 1)
    moment = third - 3 * shift * second + 2 * shift**3
    sure = (variance > _CANCELLED * size) & (size > _TINY)
    return count, shift + (centre[:, None] - centre[None, :]), variance, ratio(moment, variance**1.5, 0), sure


def _moments_of(apart: Array) -> tuple[float, float, float]:
    """Mean, variance and skewness of the differences of one pair."""
    unit = power_of_two(apart)
    own = apart / unit
    mean, rest = own.mean(), own - own.mean()
    spread = power_of_two(rest)
    rest = rest / spread
    variance = (rest**2).sum() / max(len(rest) - 1, 1)
    skewness = (rest**3).mean() / variance**1.5 if variance else 0.0
    size = variance * (spread * unit) ** 2
    # Differences of which a square is no number any more are not the same for that.
    return float(mean * unit), float(max(size, np.finfo(float).tiny) if variance else 0), float(skewness)


def _other_gaps(scores: Array, run: Counts) -> Mask:
    """Which pairs of a run lack scores of other seeds of an image, so that their means are not over the same seeds."""
    known = np.isfinite(scores)
    gaps = known != known.any(1, keepdims=True)
    if not gaps.any():
        return np.zeros((len(scores),) * 2, bool)
    _, pattern = np.unique(known.reshape(len(known), -1), axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)  # numpy 2.0 keeps the other axis
    return np.asarray((pattern[:, None] != pattern[None, :]) & (run[:, None] == run[None, :]))


def _p_values(difference: Array, error: Array, skewness: Array, n: Array, freedom: Array) -> Array:
    t = ratio(difference, error, 0)
    t[(error == 0) & (difference != 0)] = np.inf
    root = np.sqrt(n)
    w = np.where(np.isfinite(t), t, 0) / root
    hall = root * (w + skewness * w**2 / 3 + skewness**2 * w**3 / 27 + skewness / (6 * n))
    hall[~np.isfinite(t)] = np.inf
    return np.asarray(2 * stats.t.sf(np.minimum(np.abs(t), np.abs(hall)), freedom))


def _joined(
    difference: Array, images: Array, images_freedom: Array, seeds: Array, seeds_freedom: Array, where: Mask
) -> Array:
    """The p-value at which the interval that joins both variances, each by its own t, ends at 0; 1 elsewhere."""
    p = np.ones(difference.shape)
    rows = np.nonzero(np.triu(where, 1))
    squared, image, seed = difference[rows] ** 2, images[rows], seeds[rows]
    freedom, few = np.maximum(images_freedom[rows], 1), np.maximum(seeds_freedom[rows], 1)
    low, high = np.full(len(squared), -60.0), np.zeros(len(squared))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        half = np.exp(middle) / 2
        reach = stats.t.isf(half, freedom) ** 2 * image + stats.t.isf(half, few) ** 2 * seed
        low, high = np.where(reach > squared, middle, low), np.where(reach > squared, high, middle)
    p[rows] = np.exp(high)
    return np.minimum(p, p.T)


def _freedom(images: Array, images_freedom: Array, seeds: Array, seeds_freedom: Array) -> Array:
    """Degrees of freedom of a sum of two variances (Welch and Satterthwaite)."""
    parts = images**2 / np.maximum(images_freedom, 1) + seeds**2 / np.maximum(seeds_freedom, 1)
    whole = np.maximum(images_freedom, 1)
    return np.where(parts > 0, ratio((images + seeds) ** 2, parts), whole)


def _differing(flat: Array, count: Array, near: float) -> Array:
    """On how many images two entries have scores that are farther apart than `near`."""
    differing = count.copy()
    for row, own in enumerate(flat):
        differing[row] -= (np.abs(flat - own) <= near).sum(1)
    return differing


def superiority(scores: Array) -> Array:
    """Common-language effect sizes (entry, entry) for scores (entry, seed, image).

    The share of images on which the row's score is higher than the column's, ties counting half; NaN without images.
    """
    flat = over_seeds(scores)
    share, near = np.full((len(flat), len(flat)), np.nan), rounding(flat)
    for row, own in enumerate(flat):
        both = (np.isfinite(own) & np.isfinite(flat)).sum(1)
        wins = ((own > flat + near).sum(1) + (own >= flat - near).sum(1)) / 2
        share[row] = ratio(wins, both)
    return share


def holm(p: Array, among: Mask) -> Array:
    """Holm's adjusted p-values (entry, entry) of the pairs in `among` (symmetric); NaN elsewhere."""
    first, second = np.nonzero(np.triu(among & np.isfinite(p), 1))
    adjusted = np.full(p.shape, np.nan)
    adjusted[first, second] = adjusted[second, first] = adjusted_by_holm(p[first, second])
    return adjusted


def adjusted_by_holm(p: Array) -> Array:
    """Holm's adjusted p-values of a family of tests.

    Our own, because that of statsmodels collects garbage at every call, which takes a tenth of a second.
    """
    order = p.argsort(kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)).clip(max=1)
    return adjusted


def groups(different: Mask) -> list[list[int]]:
    """The largest groups in which no two entries differ, each sorted, by first member.

    The compact letter display of Piepho (2004, insert and absorb): two entries share a group exactly when they
    do not differ. Entries are expected best first.
    """
    everyone = (1 << len(different)) - 1
    found = [everyone] if len(different) else []
    for one, other in zip(*np.nonzero(np.triu(different, 1)), strict=True):
        both = (1 << int(one)) | (1 << int(other))
        split = [group for group in found if group & both == both]
        kept = [group for group in found if group & both != both]
        for part in sorted({group & ~(1 << int(which)) for group in split for which in (one, other)}):
            if not any(part & group == part for group in kept):
                kept = [group for group in kept if group & part != group] + [part]
        found = kept
    return sorted([i for i in range(len(different)) if group >> i & 1] for group in found)


def rank_intervals(difference: Array, adjusted: Array) -> tuple[Counts, Counts]:
    """The first and last rank each entry may have, best is 1.

    Simultaneous at the level of the tests: no entry is ranked before those that are significantly better, nor behind
    those that are significantly worse (Al Mohamad, Goeman and van Zwet, 2022; Mogstad et al., 2024).
    """
    sure = adjusted < ALPHA
    better, worse = (sure & (difference < 0)).sum(1), (sure & (difference > 0)).sum(1)
    return 1 + better, len(difference) - worse


def images_needed(pairs: Pairs, tests: int) -> Array:
    """Images with which each difference, were it true, would be found with 80% power; infinite where none suffice.

    At the strictest step of Holm's correction over `tests`; seeds stay as many as they are.
    """
    z = float(stats.norm.isf(ALPHA / 2 / max(tests, 1)) + stats.norm.ppf(POWER))
    per_image = (pairs.error**2 - pairs.of_seeds) * pairs.images
    room = (pairs.difference / z) ** 2 - pairs.of_seeds
    return ratio(per_image, room, np.inf)


@dataclass(frozen=True)
class Standing:
    """The competing methods under one metric, or over all: what is sure about their order.

    `rows` are their entries, best first, and everything else is in that order; `adjusted` p-values by Holm over
    all their pairs, 1 where a pair is `equal`: nearer to each other than the smallest difference that matters; `first`
    and `last` the ends of the rank intervals; `groups` hold positions in `rows`.
    """

    rows: list[int]
    pairs: Pairs
    adjusted: Array
    equal: Mask
    first: Counts
    last: Counts
    groups: list[list[int]]

    @property
    def letters(self) -> list[str]:
        """For each row the letters of its groups; two that share one cannot be told apart."""
        return [
            " ".join(_letter(i) for i, group in enumerate(self.groups) if row in group) for row in range(len(self.rows))
        ]

    @property
    def leaders(self) -> list[int]:
        """The entries that are not significantly worse than any other."""
        return [row for row, first in zip(self.rows, self.first, strict=True) if first == 1]


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"{_letter(number // 26 - 1)}{_letter(number % 26)}"
