"""Controls of known worth: floor and ceiling of a board, and whether a metric recovers the order of worsened maps."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.statistics.means import Array, Mask, over_seeds, ratio

NETWORK = ["network", "recipe"]
DRAWS = 1000


def heights(entries: pd.DataFrame, quality: Array, told: Mask) -> Array:
    """How far the ceiling is above the floor under each metric, for qualities (entry, metric).

    NaN without both, and where `told` (metric, entry, entry) says that they cannot be told apart; over several networks
    the mean.
    """
    found = [
        ceiling
        for rows in runs_of(entries)
        if (floor := only(rows, entries.floor)) is not None
        and (ceiling := _above(entries, rows, floor, quality, told)) is not None
    ]
    known = np.isfinite(found) if found else np.zeros((1, quality.shape[1]), bool)
    return ratio(np.where(known, found, 0).sum(0), known.sum(0)) if found else np.full(quality.shape[1], np.nan)


def ways_of(entries: pd.DataFrame, metrics: pd.DataFrame, centres: Array, height: Array) -> Array:
    """A length to judge differences by under each metric (metric,), as `Board.ways` says."""
    floors = np.flatnonzero(entries.floor)
    ways = []
    for metric, (own, ends) in enumerate(zip(height, metrics.range, strict=True)):
        low, high = ends or (None, None)
        sign, best = (-1, low) if metrics.direction[metric] == "lower" else (1, high)
        start = centres[floors[0], metric] if len(floors) else np.nan
        way = np.nan if best is None else sign * best - start
        width = np.nan if low is None or high is None else (high - low) / 2
        ways.append(next((one for one in (own, way, width) if one > 0), 0.0))
    return np.array(ways)


def runs_of(entries: pd.DataFrame) -> list[list[int]]:
    """The rows of each trained network."""
    found: dict[tuple[object, ...], list[int]] = {}
    for row, name in zip(entries.index, zip(*(entries[column] for column in NETWORK), strict=True), strict=True):
        found.setdefault(name, []).append(int(row))
    return list(found.values())


def only(rows: list[int], chosen: "pd.Series[bool]") -> int | None:
    """The first of these rows that is chosen."""
    return next((row for row in rows if chosen[row]), None)


def ceiling_of(entries: pd.DataFrame, rows: list[int], floor: int, quality: Array) -> int | None:
    """The oracle among these rows, and where there is none, or it has no quality (entry,), the best other control."""
    controls = [row for row in rows if entries.control[row] and row != floor and np.isfinite(quality[row])]
    oracle = only(controls, entries.needs_truth)
    return oracle if oracle is not None else max(controls, key=lambda row: quality[row], default=None)


def _above(entries: pd.DataFrame, rows: list[int], floor: int, quality: Array, told: Mask) -> Array | None:
    """How far the ceiling of a network is above its floor, (metric,)."""
    found = [ceiling_of(entries, rows, floor, own) for own in quality.T]
    if all(one is None for one in found):
        return None
    way = [np.nan if one is None else quality[one, m] - quality[floor, m] for m, one in enumerate(found)]
    sure = [one is not None and told[m, one, floor] for m, one in enumerate(found)]
    return np.where(np.array(sure) & (np.array(way) > 0), way, np.nan)


@dataclass(frozen=True)
class Recovery:
    """Kendall's tau between a metric's order of the means and the true order, with its 95% interval over images.

    1 where every step down scores worse than the one before, 0 as if by chance. `steps` are how many maps were ordered,
    `images` how many images have a score at all of them; over several networks the mean of their taus.
    """

    tau: float
    low: float
    high: float
    steps: int
    images: int

    @property
    def fails(self) -> bool:
        """Whether chance could do as well."""
        return self.low <= 0


def recoveries(entries: pd.DataFrame, metrics: pd.Index, quality: Array) -> dict[str, Recovery]:
    """For each metric that can be tried, by label, from qualities (entry, metric, seed, image) with higher better.

    The truth itself, where it is an entry, is the first step.
    """
    runs = [own for own in (_steps(entries, rows) for rows in runs_of(entries)) if len(own) > 1]
    found = {}
    for metric, label in enumerate(metrics):
        tried = [
            own for rows in runs if len(rows) > 1 and (own := _taus(over_seeds(quality[rows, metric]))) is not None
        ]
        if tried:
            taus = np.mean([own for own, _ in tried], axis=0)
            low, high = np.quantile(taus[1:], [0.025, 0.975])
            steps, images = min(len(rows) for rows in runs if len(rows) > 1), min(count for _, count in tried)
            found[str(label)] = Recovery(float(taus[0]), float(low), float(high), steps, images)
    return found


def _steps(entries: pd.DataFrame, rows: list[int]) -> list[int]:
    """The rows of one network whose maps are the truth at some step, the best first."""
    worse = [row for row in rows if pd.notna(entries.degraded[row])]
    truths = [row for row in rows if entries.control[row] and entries.needs_truth[row] and row not in worse]
    whole = truths[:1] if not any(entries.degraded[row] == 0 for row in worse) else []
    return whole + sorted(worse, key=lambda row: float(entries.degraded[row]))


def _taus(quality: Array) -> tuple[Array, int] | None:
    """Tau of the means over images, and of those over images drawn anew, (1 + draws,); and how many images count.

    Qualities (step, image), the best step first; None with fewer than two images that have all.
    """
    known = quality[:, np.isfinite(quality).all(0)]
    steps, images = known.shape
    if images < 2:
        return None
    drawn = np.random.default_rng(0).multinomial(images, np.full(images, 1 / images), DRAWS)
    means = np.concatenate([np.ones((1, images)), drawn]) @ known.T / images
    first, second = np.triu_indices(steps, 1)
    differences = means[:, first] - means[:, second]
    # What differs by rounding alone is the same.
    rounding = 1e-12 * np.abs(means).max(1, keepdims=True)
    return np.where(np.abs(differences) > rounding, np.sign(differences), 0.0).mean(1), images
