"""What the first place of a board depends on: single metrics."""

from dataclasses import dataclass

import numpy as np

from bench.statistics.board import Board
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA, holm


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
    found = []
    for metric in counted if len(counted) > 1 and len(rows) > 1 else []:
        rest = np.where(np.arange(len(board.weights)) == metric, 0, board.weights)
        pairs = board.pairs_by(rest, rows)
        adjusted = holm(pairs.p, np.ones(pairs.p.shape, bool))
        first = int((pairs.difference > 0).sum(1).argmax())
        unsure = [k for k in range(len(rows)) if k != first and not adjusted[first, k] < ALPHA]
        tied = {rows[k]: float(adjusted[first, k]) for k in unsure}
        found.append(LeftOut(board.metrics.label[metric], rows[first], tied))
    return found


def depends_on(board: Board) -> list[str]:
    """Sentences: without which metric another method would be first, or a significant lead no longer be so."""
    orders, best = left_out(board), board.overall.rows[0]
    said = without_each(board)
    if orders and all(own.first == best for own in orders):
        significantly = ", and significantly" if not any(own.tied for own in orders) else ""
        name = board.entries.shown[best]
        said.insert(0, f"{name} stays first whichever one metric is left out{significantly}.")
    return said


def without_each(board: Board) -> list[str]:
    """Sentences: what comes of leaving out each of the metrics on which the first place depends."""
    orders, best = left_out(board), board.overall.rows[0]
    together: dict[tuple[int, bool, tuple[int, ...]], list[LeftOut]] = {}
    for own in orders:
        if own.first != best or (own.tied and board.overall.leaders == [best]):
            named = tuple(own.tied) if own.first == best else ()
            together.setdefault((own.first, bool(own.tied), named), []).append(own)
    return [_without(board, alike) for alike in together.values()]


def _without(board: Board, orders: list[LeftOut]) -> str:
    """What comes of leaving out any one of these metrics, all with the same method first."""
    labels, best, first = board.entries.shown, board.overall.rows[0], orders[0].first
    shown = dict(zip(board.metrics.label, board.metrics.shown, strict=True))
    metrics = [shown[own.metric] for own in orders]
    without = (
        f"Without {', or without '.join(metrics)}" if len(metrics) < 3 else f"Without any one of {listed(metrics)}"
    )
    if first != best and not orders[0].tied:
        return f"{without}, {labels[first]} would be first, and significantly."
    if first != best:
        p = [own.tied[best] for own in orders if best in own.tied]
        against = f" (against {labels[best]} {_chances(p)})" if p else ""
        return f"{without}, {labels[first]} would be first, but not significantly{against}."
    tied = [f"{labels[row]} ({_chances([own.tied[row] for own in orders])})" for row in orders[0].tied]
    return f"{without}, {labels[best]} stays first, but cannot be told from {listed(tied)}."


def _chances(p: list[float]) -> str:
    least, most = chance(min(p)), chance(max(p))
    return least if least == most else f"{least} to {most.removeprefix('p = ')}"


def chance(p: float) -> str:
    """A p-value as a person writes it."""
    return "p < 0.001" if p < 0.001 else "p = 1" if p > 0.999 else f"p = {p:.3f}"
