"""What a board shows, whatever shows it: lines of methods and controls, columns of metrics, and places between them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from bench.results.result_set import Results
from bench.statistics.board import COST, Board
from bench.statistics.build import board_of, network_boards
from bench.statistics.means import Array
from bench.statistics.metric_audit import Finding, audited, calibrated, findings
from bench.statistics.verdict import Place, Verdict, places, verdict_of

ARROW = {"higher": "↑", "lower": "↓"}


@dataclass(frozen=True)
class Line:
    """A method or a control, a row of the board; `kind` is method, random, truth or control.

    `place` lies between random (0) and truth (1) over the metrics that count, with its 95% interval; NaN where it
    cannot be said. Two methods that share a letter of their `group` cannot be told apart.
    """

    entry: int
    name: str
    code: str
    kind: str
    place: float = np.nan
    low: float = np.nan
    high: float = np.nan
    group: str = ""
    rank: int | None = None

    @property
    def control(self) -> bool:
        """Whether it competes with nobody."""
        return self.kind != "method"


@dataclass(frozen=True)
class Column:
    """A metric, or the protocols of one folded together; `metrics` are its columns of the board.

    `parent` is the place in the list of columns of what it is folded into, None where it stands by itself.
    """

    name: str
    code: str
    metrics: tuple[int, ...]
    direction: str
    family: str
    verdict: str
    reasons: tuple[str, ...]
    weight: float
    is_property: bool
    parent: int | None = None

    @property
    def arrow(self) -> str:
        """Which way is better."""
        return ARROW[self.direction]


@dataclass(frozen=True)
class View:
    """A board as it is shown: lines best first and controls last, columns by family.

    `networks` are the boards of each network by itself, where there are several; `accuracy` is the mean of each
    network's, in [0, 1], NaN where there are no labels.
    """

    board: Board
    verdict: Verdict
    audit: list[Finding]
    accuracy: Mapping[str, float]
    networks: Mapping[str, Board] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What the board compares: methods, recipes or protocols."""
        return self.board.question.kind

    @property
    def placed(self) -> bool:
        """Whether methods are placed between random and truth; else they are by the comparisons they win."""
        return self.verdict.scale == "random to truth"

    @cached_property
    def lines(self) -> list[Line]:
        """Methods, best first, then those that cannot be placed, then controls."""
        known = {place.entry: place for place in (*self.verdict.rows, *self.verdict.controls)}
        ranks = {place.entry: rank for rank, place in enumerate(self.verdict.rows, 1)}
        order = [*ranks, *(row for row in self.board.order if row not in ranks)]
        return [self._line(row, known.get(row), ranks.get(row)) for row in order]

    @cached_property
    def methods(self) -> list[Line]:
        """The lines that compete, best first."""
        return [line for line in self.lines if not line.control]

    @cached_property
    def controls(self) -> list[Line]:
        """The lines that compete with nobody."""
        return [line for line in self.lines if line.control]

    @cached_property
    def columns(self) -> list[Column]:
        """A column for each metric; the protocols of one follow the column that folds them; families together."""
        return _columns(self)

    @cached_property
    def calibrated(self) -> Array:
        """Where each mean lies between random (0) and truth (1), (entry, metric)."""
        return calibrated(self.board)

    @cached_property
    def by_network(self) -> dict[str, tuple[bool, dict[str, Place]]]:
        """For each network whether its methods are placed between random and truth, and their places by code name."""
        found = {}
        for name, board in self.networks.items():
            scale, rows, _ = places(board)
            own = {str(board.entries.attribution[place.entry]): place for place in rows}
            found[name] = (scale == "random to truth", own)
        return found

    def cell(self, line: Line, column: Column) -> float:
        """The place of a line under a column, the mean over those protocols that can be placed; NaN without any."""
        own = self.calibrated[line.entry, list(column.metrics)]
        own = own[np.isfinite(own)]
        return float(own.mean()) if len(own) else np.nan

    def can_place(self, column: Column) -> bool:
        """Whether any method has a place between random and truth under a column."""
        return bool(np.isfinite(self.calibrated[np.ix_(self.board.methods, column.metrics)]).any())

    def _line(self, row: int, place: Place | None, rank: int | None) -> Line:
        entry = self.board.entries.loc[row]
        kind = "method"
        if entry.control:
            kind = "random" if entry.floor else "truth" if entry.needs_truth else "control"
        name, code = entry_names(self.board, row)
        if place is None:
            return Line(row, name, code, kind)
        return Line(row, name, code, kind, place.place, place.low, place.high, place.group, rank)


def view_of(
    results: Results,
    weights: Mapping[str, float] | None = None,
    metrics: Sequence[str] | None = None,
    entries: Sequence[str] | None = None,
) -> View:
    """How the board of a result set is shown, with `weights` of metrics by label; some metrics and entries, or all.

    Raises HeatmarkError where none is called so.
    """
    board = audited(board_of(results, weights)).select(metrics, entries)
    kind = board.question.kind
    whole = metrics is None and entries is None and bool(board.blocks) and kind != "recipes"
    several = network_boards(results, weights) if whole else {}
    boards = {name: own.distrusting(board.distrusted) for name, own in several.items()}
    accuracy = results.networks.astype({"network": str}).groupby("network", sort=False).accuracy.mean()
    shares = {str(name): float(share) for name, share in accuracy.items()}
    return View(board, verdict_of(board), findings(board), shares, boards)


def entry_names(board: Board, row: int) -> tuple[str, str]:
    """The display name of an entry and its code name: the method, or on a board of recipes network and recipe."""
    entry = board.entries.loc[row]
    code = str(entry.attribution) if board.question.kind != "recipes" else str(entry.label)
    return str(entry.shown), code


def _columns(view: View) -> list[Column]:
    metrics = view.board.metrics
    families = list(dict.fromkeys(metrics.family.map(str)))
    judging = set(metrics.family[~view.board.properties].map(str))
    families.sort(key=lambda family: (family == COST, family not in judging))
    columns: list[Column] = []
    for family in families:
        for _, variants in metrics[metrics.family.map(str).eq(family)].groupby("name", sort=False):
            rows = [int(row) for row in variants.index]
            if len(rows) > 1 and _differ_in_protocol(variants):
                columns.append(_column(view, rows, None))
                parent = len(columns) - 1
                columns += [_column(view, [row], parent) for row in rows]
            else:
                columns += [_column(view, [row], None) for row in rows]
    return columns


def _differ_in_protocol(variants: pd.DataFrame) -> bool:
    return bool(variants.protocol.nunique() == len(variants))


_WORST = ("distrust", "care", "untried", "trust", "no scores", "property", "cost")


def _column(view: View, rows: list[int], parent: int | None) -> Column:
    own, found = view.board.metrics.loc[rows[0]], [view.audit[row] for row in rows]
    label = str(own.metric) if len(rows) == 1 else str(own["name"])
    reasons = [reason for one in found for reason in one.reasons]
    if len(rows) > 1:
        names = [str(view.board.metrics.shown[row]) for row in rows]
        reasons = [f"{name}: {'; '.join(one.reasons) or one.verdict}" for name, one in zip(names, found, strict=True)]
    return Column(
        name=str(own.shown if len(rows) == 1 else own.display),
        code=label,
        metrics=tuple(rows),
        direction=str(own.direction),
        family=str(own.family) or "other",
        verdict=min((one.verdict for one in found), key=_WORST.index),
        reasons=tuple(reasons),
        weight=float(view.board.weights[rows].sum()),
        is_property=bool(view.board.properties[rows[0]]),
        parent=parent,
    )
