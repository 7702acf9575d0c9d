"""Floor and ceiling of a board: the random map, and the truth or the best other control."""

import numpy as np
import pandas as pd

from bench.statistics.means import Array, Mask, ratio

NETWORK = ["network", "recipe"]


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


def runs_of(entries: pd.DataFrame) -> list[list[int]]:
    """The rows of each trained network."""
    return [[int(row) for row in own.index] for _, own in entries.groupby(NETWORK, sort=False)]


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
