"""What a board answers, as one record for the page and the terminal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.leaderboard.board import Board, Standing
from bench.leaderboard.means import Array, means, over_seeds
from bench.leaderboard.paired_tests import ALPHA, holm, paired
from bench.leaderboard.place_stability import left_out
from bench.leaderboard.question import Question
from bench.leaderboard.wording import listed

Sureness = Literal["clear", "hangs", "not told apart", "cannot be tested"]
SIGNIFICANTLY = "significantly (p < .05, Holm)"


@dataclass(frozen=True)
class Badge:
    """How sure the answer is, and in a few words why it is no surer."""

    kind: Sureness
    text: str


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


@dataclass(frozen=True)
class Effect:
    """What a recipe does to a metric, against the plain training of the same network, and what it costs.

    `effect` is a difference on the metric's own scale with its 95% interval, `share` of the way from floor to ceiling
    (NaN without both); `points` the differences of the seeds; `p` by Holm over the effects of the network, NaN where
    nothing can be tested; `judgement` says what to make of it; `own`, that the recipe trains on this very measure;
    `price` the difference in accuracy with its interval; `seeds_needed` with how many seeds such an effect is found
    with 80% power, infinite without one.
    """

    network: str
    recipe: str
    attribution: str
    metric: str
    effect: float
    low: float
    high: float
    share: float
    points: tuple[float, ...]
    p: float
    judgement: Literal["better", "worse", "more", "less", "equal", "not told apart", "untested"]
    own: bool
    price: float
    price_low: float
    price_high: float
    seeds_needed: float


@dataclass(frozen=True)
class Verdict:
    """The answer of a board: one finding, how sure it is, why, and the rows of its chart.

    `rows` are the methods, best first, `controls` what is drawn across; both on one scale, which `scale` names:
    "random to truth" (0 and 1), or "wins" (the share of comparisons won) where a board has not both. `over` says what
    intervals are over. `effects` are those of recipes, which have no rows.
    """

    question: Question
    sentence: str
    badge: Badge
    reasons: list[str]
    scale: Literal["random to truth", "wins"]
    over: str
    rows: list[Place]
    controls: list[Place]
    effects: list[Effect]


def verdict_of(board: Board) -> Verdict:
    """The verdict of a board whose distrusted metrics are left out of its order (`metric_audit.audited`)."""
    scale, rows, controls = places(board)
    sentence, badge, reasons = _finding(board)
    over = {"images": "images", "seeds": "images and seeds", "networks": "images and networks"}[board.level]
    return Verdict(board.question, sentence, badge, reasons, scale, over, rows, controls, [])


def places(board: Board) -> tuple[Literal["random to truth", "wins"], list[Place], list[Place]]:
    """Where methods and controls stand in the order over all metrics.

    Between the random map (0) and the truth (1), where the board has both and they can be told apart; the share of
    comparisons won otherwise. A method that meets all methods, itself as a tie, is what controls are compared with.
    """
    ends = _ends(board)
    if ends is None:
        own = board.overall_means
        mean, low, high = own.mean, own.low, own.high
    else:
        mean, low, high = _between(fair_scores(board), *ends)
    standing = board.overall
    told = {row: k for k, row in enumerate(standing.rows)}
    found = [_place(board, row, (mean[row], low[row], high[row]), standing, told.get(row)) for row in board.order]
    known = [place for place in found if np.isfinite(place.place)]
    shown = [place for place in known if place.entry in told]
    controls = [place for place in known if board.entries.control[place.entry]]
    return "wins" if ends is None else "random to truth", shown, controls


def fair_scores(board: Board) -> Array:
    """Shares won (entry, seed, image) where methods and controls all meet the same methods.

    A method meets itself too, as a tie; so a control that is better than all has a higher share than all.
    """
    scores = board.overall_scores.copy()
    count = len(board.methods)
    scores[board.methods] = (scores[board.methods] * (count - 1) + 0.5) / max(count, 1)
    return scores


def _between(scores: Array, floor: int, ceiling: int) -> tuple[Array, Array, Array]:
    """Places between two entries, with intervals of the ratio: linearised, so that the ends are uncertain too."""
    centre = np.array([np.nanmean(own) if np.isfinite(own).any() else np.nan for own in scores])
    height = centre[ceiling] - centre[floor]
    place = (centre - centre[floor]) / height
    way = scores[ceiling] - scores[floor]
    rest = (scores - scores[floor] - place[:, None, None] * way) / height
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
    name = str(board.entries.label[row])
    if at is None:
        return Place(row, name, mean, low, high, "", 0, 0)
    return Place(row, name, mean, low, high, standing.letters[at], int(standing.first[at]), int(standing.last[at]))


def _finding(board: Board) -> tuple[str, Badge, list[str]]:
    labels, standing = board.entries.label, board.overall
    if len(standing.rows) < 2:
        return "There are no two methods to compare.", Badge("cannot be tested", "cannot be tested: one method"), []
    best, second = standing.rows[:2]
    p = standing.adjusted[0, 1]
    if not np.isfinite(p):
        return f"{labels[best]} is first; nothing can be tested.", Badge("cannot be tested", "cannot be tested"), []
    above = f"{labels[best]} is ahead of {labels[second]}"
    beside = beside_controls(board, best)
    if not p < ALPHA:
        said = " ".join([f"{above}, but they cannot be told apart.", *beside])
        return said, Badge("not told apart", "not told apart"), []
    said = " ".join([f"{above}, {SIGNIFICANTLY}.", *beside])
    if not board.entries.control.any():
        return said, Badge("cannot be tested", "cannot be tested: no controls on this board"), []
    carrying = [own.metric for own in left_out(board) if own.first != best or own.tied]
    if carrying or beside:
        on = listed(carrying) if carrying else "what the metrics reward"
        return said, Badge("hangs", f"hangs on {on}"), beside
    return said, Badge("clear", "clear"), []


def beside_controls(board: Board, best: int) -> list[str]:
    """That the best method is above the truth, or significantly below a control that cannot see the network."""
    rows = [best, *(int(row) for row in np.flatnonzero(board.entries.control))]
    scores = fair_scores(board)[rows]
    pairs = paired(scores, board.run[rows])
    adjusted = holm(pairs.p, np.ones(pairs.p.shape, bool))
    said = []
    for at, row in list(enumerate(rows))[1:]:
        truth = bool(board.entries.needs_truth[row])
        if truth and pairs.difference[0, at] > 0:
            said.append("It beats the truth itself.")
        elif not truth and pairs.difference[0, at] < 0 and adjusted[0, at] < ALPHA:
            said.append(f"It loses to {board.entries.label[row]}.")
    return said
