"""Where methods and controls stand in the order over all metrics, between the random map and the truth."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from bench.statistics.board import RUN, Board
from bench.statistics.means import Array, mean_of_known, means, over_seeds
from bench.statistics.paired_tests import ALPHA, Pairs, Standing, adjusted_by_holm, paired

Scale = Literal["random to truth", "wins"]


@dataclass(frozen=True)
class Place:
    """A row of the chart: where a method or a control stands, with its 95% interval (NaN where there is none).

    `entry` is its row on the board; `group` the letters of its groups, empty for controls: methods that share one
    cannot be told apart. `first` and `last` are the ranks it may have, 0 for controls.
    """

    entry: int
    method: str
    place: float
    low: float
    high: float
    group: str
    first: int
    last: int


def places(board: Board) -> tuple[Scale, list[Place], list[Place]]:
    """Where methods and controls stand in the order over all metrics.

    Between the random map (0) and the truth (1), where the board has both and they can be told apart; the share of
    comparisons won otherwise. A method that meets all methods, itself as a tie, is what controls are compared with.
    Where all that is known is of these very networks, intervals are over their images, and no groups are formed.
    """
    ends, of_these = _ends(board), of_these_networks(board)

    def seen(scores: Array) -> Array:
        scores = _carried_on(scores) if board.stops is not None else scores
        return over_seeds(scores)[:, None] if of_these else scores

    if ends is None:
        own = means(seen(board.overall_scores)).within(0, 1)
        mean, low, high = own.mean, own.low, own.high
    else:
        mean, low, high = between(seen(fair_scores(board)), *ends)
    standing = board.overall
    told = {row: k for k, row in enumerate(standing.rows)}
    found = [_place(board, row, (mean[row], low[row], high[row]), standing, told.get(row)) for row in board.order]
    known = [place for place in found if np.isfinite(place.place)]
    shown = [replace(place, group="") if of_these else place for place in known if place.entry in told]
    controls = [place for place in known if board.entries.control[place.entry]]
    return "wins" if ends is None else "random to truth", shown, controls


def of_these_networks(board: Board) -> bool:
    """Whether the first method is significantly ahead of the second on every network, but not over networks at large.

    Tested on each network by itself, Holm over the networks.
    """
    rows = board.overall.rows[:2]
    if board.level != "networks" or len(rows) < 2 or not board.overall.adjusted[0, 1] >= ALPHA:
        return False
    each = _on_each_network(board, rows)
    p = np.array([own.p[0, 1] for own in each])
    ahead = all(own.difference[0, 1] > 0 for own in each)
    return bool(ahead and np.isfinite(p).all() and (adjusted_by_holm(p) < ALPHA).all())


def _on_each_network(board: Board, rows: list[int]) -> list[Pairs]:
    """Tests of two methods on each network by itself."""
    scores, whole = board.overall_scores[rows], board.whole
    if board.stops is None or whole is None:
        return [paired(scores[:, [block]], np.zeros(2, np.int64)) for block in range(len(board.blocks))]
    names, found = list(board.entries.attribution[rows]), []
    for _, entries in whole.entries.groupby(RUN, sort=False):
        own = whole.rows([int(row) for row in entries.index])
        at = [list(own.entries.attribution).index(name) for name in names]
        found.append(own.pairs_by(board.weights, at))
    return found


def fair_scores(board: Board) -> Array:
    """Shares won (entry, seed, image) where methods and controls all meet the same methods.

    A method meets itself too, as a tie; so a control that is better than all has a higher share than all.
    """
    scores = board.overall_scores.copy()
    count = len(board.methods)
    scores[board.methods] = (scores[board.methods] * (count - 1) + 0.5) / max(count, 1)
    return scores


def _carried_on(scores: Array) -> Array:
    """Scores (entry, seed, image) without the gaps of entries that were left off: each mean stands for what is missing.

    What is there counts for more, so that means and their errors stay what they are.
    """
    known = np.isfinite(scores)
    there = known.any(2, keepdims=True)
    count = known.sum(2, keepdims=True)
    mean = np.where(known, scores, 0).sum(2, keepdims=True) / np.maximum(count, 1)
    longer = scores.shape[2] / np.maximum(count, 1)
    return np.where(there, mean + np.where(known, scores - mean, 0) * longer, np.nan)


def between(scores: Array, floor: int, ceiling: int) -> tuple[Array, Array, Array]:
    """Places between two entries, with intervals of the ratio: linearised, so that the ends are uncertain too.

    Of each entry on the networks and images where all three have a score.
    """
    above = scores - scores[floor]
    ways = np.where(np.isfinite(above), above[ceiling], np.nan)
    height = mean_of_known(ways, (1, 2))
    place = mean_of_known(np.where(np.isfinite(ways), above, np.nan), (1, 2)) / height
    rest = (above - place[:, None, None] * ways) / height[:, None, None]
    around = means(rest)
    return place, place + around.low, place + around.high


def _ends(board: Board) -> tuple[int, int] | None:
    """The random map and the truth, where each is there once and the truth is significantly above."""
    floors = np.flatnonzero(board.entries.floor)
    truths = np.flatnonzero(board.entries.control & board.entries.needs_truth)
    if len(floors) != 1 or len(truths) != 1:
        return None
    both = [int(truths[0]), int(floors[0])]
    # On these very networks: over blocks, few as they are, even the truth would not be told from noise.
    pairs = paired(over_seeds(board.overall_scores[both])[:, None], board.run[both])
    return (both[1], both[0]) if pairs.p[0, 1] < ALPHA and pairs.difference[0, 1] > 0 else None


def _place(board: Board, row: int, interval: tuple[float, float, float], standing: Standing, at: int | None) -> Place:
    mean, low, high = map(float, interval)
    name = str(board.entries.shown[row])
    if at is None:
        return Place(row, name, mean, low, high, "", 0, 0)
    return Place(row, name, mean, low, high, standing.letters[at], int(standing.first[at]), int(standing.last[at]))
