"""What a board answers, as one record for the page and the terminal."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.statistics.board import Board
from bench.statistics.finding import Finding, methods_finding, recipes_finding
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA
from bench.statistics.places import Place, Scale, of_these_networks, places
from bench.statistics.question import Badge, Question
from bench.statistics.recipe_effects import Effect, effects_of

__all__ = ["Badge", "Effect", "Lead", "Place", "Verdict", "places", "verdict_of"]


@dataclass(frozen=True)
class Lead:
    """How far the first is ahead of the second under a metric: `difference` on its own scale, positive where better.

    `share` is the same of the way from floor to ceiling (NaN without both); `p` by Holm over all pairs of methods.
    """

    metric: str
    unit: str
    difference: float
    share: float
    p: float
    judgement: Literal["ahead", "behind", "equal", "not told apart"]


@dataclass(frozen=True)
class Verdict:
    """The answer of a board: one finding, how sure it is, why, and the rows of its chart.

    `rows` are the methods, best first, `controls` what is drawn across; both on one scale, which `scale` names:
    "random to truth" (0 and 1), or "wins" (the share of comparisons won) where a board has not both. `over` says what
    intervals are over. `leads` is the first beside the second, metric by metric. `effects` are those of recipes, which
    have no rows.
    """

    question: Question
    sentence: str
    badge: Badge
    reasons: list[str]
    scale: Scale
    over: str
    rows: list[Place]
    controls: list[Place]
    leads: list[Lead]
    effects: list[Effect]


def verdict_of(board: Board) -> Verdict:
    """The verdict of a board whose distrusted metrics are left out of its order (`metric_audit.audited`)."""
    scale, rows, controls = places(board)
    over = {"images": "images", "seeds": "images and seeds", "networks": "images and networks"}[board.level]
    over = "the images of these networks" if of_these_networks(board) else over
    effects = effects_of(board)
    if board.question.kind == "recipes":
        over = "seeds" if board.level == "seeds" else "images"
        sentence, badge, reasons = recipes_finding(board, effects)
    else:
        sentence, badge, reasons = methods_finding(board, scale, rows, controls)
    if board.question.kind == "metrics":
        sentence, badge, reasons = _metrics_finding(board, sentence)
    return Verdict(board.question, sentence, badge, reasons, scale, over, rows, controls, leads(board), effects)


def _metrics_finding(board: Board, of_methods: str) -> Finding:
    """Which metrics do not recover the order of worsened maps, and beside it what the board finds of methods."""
    shown = dict(zip(board.metrics.label, board.metrics.shown, strict=True))
    tried = [(str(shown[label]), recovery) for label, recovery in board.recovered.items()]
    if not tried:
        said = "Nothing was tried: there are no maps made worse by known steps, or too few images."
        return said, Badge("cannot be tested", "cannot be tested: no worse maps", "cannot be tested"), [of_methods]
    failing, count = [name for name, recovery in tried if recovery.fails], len(tried)
    said = f"{count - len(failing)} of {count} metrics recover the order of maps that get worse step by step, "
    said += "each by itself better than chance (95% interval over images)"
    if not failing:
        return f"{said}.", Badge("clear", f"none of {count} metrics fails", "metrics fail"), [of_methods]
    said += f"; {listed(failing)} {'does' if len(failing) == 1 else 'do'} not."
    return said, Badge("depends", f"{len(failing)} of {count} metrics fail", "metrics fail"), [of_methods]


def leads(board: Board) -> list[Lead]:
    """How far the first method is ahead of the second, under each metric that has both."""
    rows = board.overall.rows[:2]
    ways, found = board.height, []
    for metric, standing in enumerate(board.standings):
        if len(rows) < 2 or not set(rows) <= set(standing.rows):
            continue
        here, there = map(standing.rows.index, rows)
        difference, p = standing.pairs.difference[here, there], standing.adjusted[here, there]
        judgement: Literal["ahead", "behind", "equal", "not told apart"] = (
            "equal"
            if standing.equal[here, there]
            else "not told apart"
            if not p < ALPHA
            else "ahead"
            if difference > 0
            else "behind"
        )
        share = difference / ways[metric] if ways[metric] > 0 else np.nan
        shown, unit = str(board.metrics.shown[metric]), str(board.metrics.unit[metric])
        found.append(Lead(shown, unit, float(difference), float(share), float(p), judgement))
    return found
