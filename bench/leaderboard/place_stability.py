"""What the first place of a board hangs on: single metrics, networks, and whether the truth itself would win."""

from dataclasses import dataclass

import numpy as np

from bench.leaderboard.board import RUN, Board
from bench.leaderboard.means import over_seeds
from bench.leaderboard.paired_tests import ALPHA, holm, paired
from bench.leaderboard.wins import overall_scores
from bench.leaderboard.wording import listed

_MOST_NAMED = 4


@dataclass(frozen=True)
class LeftOut:
    """The order without one metric: who is first then, and which others cannot be told from it, with their p-values.

    Entries are rows of the board.
    """

    metric: str
    first: int
    tied: dict[int, float]


def left_out(board: Board) -> list[LeftOut]:
    """The orders without each metric that counts, of the methods that stand in the order; none where one counts."""
    counted, rows = np.flatnonzero(board.weights), board.overall.rows
    shares, run = board.wins[rows], board.run[rows]
    found = []
    for metric in counted if len(counted) > 1 and len(rows) > 1 else []:
        scores = overall_scores(shares, np.where(np.arange(len(board.weights)) == metric, 0, board.weights))
        pairs = paired(scores, run)
        adjusted = holm(pairs.p, np.ones(pairs.p.shape, bool))
        first = int(np.nanmean(over_seeds(scores), 1).argmax())
        unsure = [k for k in range(len(rows)) if k != first and not adjusted[first, k] < ALPHA]
        tied = {rows[k]: float(adjusted[first, k]) for k in unsure}
        found.append(LeftOut(board.metrics.label[metric], rows[first], tied))
    return found


def hangs_on(board: Board) -> list[str]:
    """Sentences: without which metric another method would be first, or a lead that is sure no longer be so."""
    orders, best = left_out(board), board.overall.rows[0]
    if not orders:
        return []
    together: dict[tuple[int, bool, tuple[int, ...]], list[LeftOut]] = {}
    for own in orders:
        if own.first != best or (own.tied and board.overall.leaders == [best]):
            named = tuple(own.tied) if own.first == best else ()
            together.setdefault((own.first, bool(own.tied), named), []).append(own)
    said = [_without(board, alike) for alike in together.values()]
    if all(own.first == best for own in orders):
        surely = ", and surely" if not any(own.tied for own in orders) else ""
        said.insert(0, f"It stays first whichever one metric is left out{surely}.")
    return said


def _without(board: Board, orders: list[LeftOut]) -> str:
    """What comes of leaving out any one of these metrics, all with the same method first."""
    labels, best, first = board.entries.label, board.overall.rows[0], orders[0].first
    metrics = [own.metric for own in orders]
    without = f"Without {metrics[0]}" if len(metrics) == 1 else f"Without any one of {listed(metrics)}"
    if first != best and not orders[0].tied:
        return f"{without}, {labels[first]} would be first, and surely."
    if first != best:
        p = [own.tied[best] for own in orders if best in own.tied]
        against = f" (against {labels[best]} {_chances(p)})" if p else ""
        return f"{without}, {labels[first]} would be first, but not surely{against}."
    tied = [f"{labels[row]} ({_chances([own.tied[row] for own in orders])})" for row in orders[0].tied]
    return f"{without}, {labels[best]} stays first, but cannot be told from {listed(tied)}."


def _chances(p: list[float]) -> str:
    least, most = chance(min(p)), chance(max(p))
    return least if least == most else f"{least} to {most.removeprefix('p = ')}"


def by_metric(board: Board) -> str:
    """Under which metrics that count the first is surely ahead of the second, or behind it, and which do not tell."""
    best, second = board.overall.rows[:2]
    ahead: list[str] = []
    behind: list[str] = []
    unsure: list[str] = []
    for metric in np.flatnonzero(board.weights):
        standing, label = board.standings[metric], board.metrics.label[metric]
        here, there = standing.rows.index(best), standing.rows.index(second)
        sure = standing.adjusted[here, there] < ALPHA
        (unsure if not sure else ahead if standing.pairs.difference[here, there] > 0 else behind).append(label)
    parts = [("surely better under", ahead), ("surely worse under", behind), ("not told apart under", unsure)]
    return f"Metric by metric it is {'; '.join(f'{how} {listed(names)}' for how, names in parts if names)}."


def by_network(board: Board) -> str:
    """Which method is first on each trained network, where a board has several with several methods."""
    board = board.whole or board
    runs = board.entries.groupby(RUN, sort=False).ngroup()
    firsts = {}
    for run in runs.unique():
        rows = [row for row in board.overall.rows if runs[row] == run]
        if len(rows) > 1:
            firsts[" / ".join(str(board.entries[column][rows[0]]) for column in _telling(board))] = (
                board.entries.attribution[rows[0]]
            )
    if len(firsts) < 2:
        return ""
    names = list(dict.fromkeys(firsts.values()))
    if len(names) == 1:
        return f"{names[0]} is first on each of the {len(firsts)} networks."
    if len(firsts) <= _MOST_NAMED:
        return f"First on {listed([f'{network}: {name}' for network, name in firsts.items()])}."
    won = [f"{name} on {sum(own == name for own in firsts.values())}" for name in names]
    return f"Of {len(firsts)} networks, {listed(won)} are led by it."


def beside_the_truth(board: Board) -> str:
    """That the best method wins more than the oracle of its network, where it does, and what that means."""
    best, share, entries = board.overall.rows[0], board.overall_means.mean, board.entries
    truths = entries.control & entries.needs_truth & entries[RUN].eq(entries.loc[best, RUN]).all(axis=1)
    behind = [row for row in np.flatnonzero(truths) if share[row] < share[best]]
    if not behind:
        return ""
    named = listed([f"{entries.label[row]}, {share[row]:.0%}" for row in behind])
    return (
        f"It wins more than the truth itself ({named}): some of what counts here rewards other things than lying on the"
        " object, so that being first is not the same as being right about where the evidence is."
    )


def chance(p: float) -> str:
    """A p-value as a person writes it."""
    return "p < 0.001" if p < 0.001 else "p = 1" if p > 0.999 else f"p = {p:.3f}"


def _telling(board: Board) -> list[str]:
    return [column for column in RUN if board.entries[column].nunique() > 1]
