"""What has been decided at a look, so that it needs no more images: methods, metrics that do not count, controls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import stats

from bench.sequential.looks import fractions
from bench.sequential.spending import levels, still_possible
from bench.statistics.board import FEW, RUN, Board
from bench.statistics.means import Array, Counts, Mask, means
from bench.statistics.metric_audit import Finding, findings
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA, Pairs, holm, paired

UNLIKELY = 0.05  # a chance below which nothing is waited for
_SURE = 2.0  # standard errors
_MOST_NAMED = 3
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Stop:
    """What was left off after so many images: an entry (no metric), a metric (no method), a control under a metric."""

    network: str
    recipe: str
    attribution: str
    metric: str
    images: int
    reason: str


def decisions(board: Board, stopped: Sequence[Stop], half_width: float | None = None) -> list[Stop]:
    """What can be left off after the images that a board of all entries holds (`build.entry_board`, with looks).

    A metric, once it is a property, or decided that it is not to be trusted. A method, once every comparison with
    another is decided (group-sequential tests, Holm, alpha shared by the networks, and a difference that matters), or
    would hardly be by all images, or its 95% interval reaches no further than `half_width`; and not before it is
    settled which metrics count. A control under a metric, once hardly anything hangs on it; and everything, once no
    method is left.
    """
    audit = findings(board)
    board = board.distrusting(frozenset(board.metrics.label[m] for m, own in enumerate(audit) if _is_out(own)))
    look = _Look(board, tuple(stopped), half_width)
    new = look.metrics(audit)
    if not look.open(board.weights > 0).any():
        new += look.methods()
    after = replace(look, stopped=(*stopped, *new))
    return new + (after.controls() if after.live[board.methods].any() else after.rest())


def _is_out(finding: Finding) -> bool:
    return finding.verdict in ("distrust", "no scores")


@dataclass(frozen=True, eq=False)
class _Look:
    board: Board
    stopped: tuple[Stop, ...]
    half_width: float | None

    @property
    def images(self) -> int:
        return len(self.board.images)

    @property
    def fraction(self) -> float:
        return self.images / self.board.looks[-1]

    @cached_property
    def live(self) -> Mask:
        """Which entries have not been left off under which metrics, (entry, metric)."""
        return np.asarray(ends_of(self.board, self.stopped) == NEVER)

    def metrics(self, audit: Sequence[Finding]) -> list[Stop]:
        """Those that are left off now."""
        gone = {stop.metric for stop in self.stopped if not stop.attribution}
        new = []
        for metric, label in enumerate(self.board.metrics.metric):
            if label in gone or self.board.weights[metric] > 0:
                continue
            if self.board.properties[metric]:
                new.append(self._of_metric(label, audit[metric].reasons[0]))
            elif _is_out(audit[metric]) and (any(audit[metric].beaten.values()) or self._settled_share(metric)):
                new.append(self._of_metric(label, f"not to be trusted: {audit[metric].reasons[0]}"))
        return new

    def _of_metric(self, label: str, reason: str) -> Stop:
        return Stop("", "", "", label, self.images, reason)

    def _settled_share(self, metric: int) -> bool:
        """Whether it can score less than half of the images, and not by chance."""
        share = float(self.board.scored[metric])
        return bool(share < FEW - _SURE * np.sqrt(FEW * (1 - FEW) / self.images))

    def open(self, counted: Mask) -> Mask:
        """Where controls may yet beat methods, so that one of these metrics is not to be trusted, (entry, metric)."""
        board = self.board
        blind = (board.entries.control & ~board.entries.needs_truth).to_numpy(bool)
        real = ~board.entries.control.to_numpy(bool)
        pairs = blind[:, None] & real[None, :] & (board.run[:, None] == board.run[None, :])
        level = self._last_level(int(pairs.sum()))
        still = np.zeros(self.live.shape, bool)
        for metric in np.flatnonzero(counted):
            z = _signed(paired(board.quality[:, metric], board.run))
            still[:, metric] = (pairs & (still_possible(z, self.fraction, level) > UNLIKELY)).any(1)
        return still & self.live

    def _last_level(self, tests: int) -> float:
        """The level of the strictest of these tests once all images are there."""
        return levels(fractions(self.board.looks), ALPHA / max(tests, 1))[-1]

    def methods(self) -> list[Stop]:
        """Those that are left off now."""
        return [stop for rows in self._networks() for stop in self._of_network(rows)]

    def _networks(self) -> list[list[int]]:
        return [[int(row) for row in own.index] for _, own in self.board.entries.groupby(RUN, sort=False)]

    def _of_network(self, rows: list[int]) -> list[Stop]:
        weights, own = self.board.weights, self._own(rows)
        methods = own.methods
        if not weights.any() or not methods:
            return []
        told, hopeless = self._compared(own)
        half = self._half_widths(own.scores_by(weights)[methods])
        live = np.asarray(self.live[rows].any(1))
        new = []
        for at, row in enumerate(methods):
            alike = [k for k in range(len(methods)) if k != at and not told[at, k]]
            if not live[row]:
                continue
            if not alike:
                new.append(self._of_entry(rows[row], "its place is decided"))
            elif all(hopeless[at, k] or not live[methods[k]] for k in alike):
                names = [str(own.entries.display[methods[k]]) for k in alike]
                reason = f"more images would hardly tell it from {listed(names, _MOST_NAMED)}"
                new.append(self._of_entry(rows[row], reason))
            elif self.half_width is not None and half[at] <= self.half_width:
                new.append(self._of_entry(rows[row], f"its place is known within {half[at]:.3f}"))
        return new

    def _own(self, rows: list[int]) -> Board:
        """The board of a network by itself."""
        return self.board if len(rows) == len(self.board.entries) else self.board.rows(rows)

    def _compared(self, own: Board) -> tuple[Mask, Mask]:
        """Which methods of a network differ, and by more than what matters; and which would hardly by all images."""
        methods, weights = own.methods, self.board.weights
        adjusted = holm(own.pairs_by(weights, methods).p, np.ones((len(methods),) * 2, bool))
        told = adjusted < ALPHA / len(self._networks())
        z = _signed(paired(own.scores_by(weights), own.run).among(methods))
        chance = still_possible(z, self.fraction, self._last_level(len(methods) * (len(methods) - 1) // 2))
        hopeless = (np.maximum(chance, chance.T) < UNLIKELY) & ~told
        if told.any():
            counted = np.flatnonzero(weights)
            small = np.asarray(own.equal[counted].all(0))[np.ix_(methods, methods)] & told
            farther = np.sum([self._farther(own, int(metric)) for metric in counted], axis=0)
            told, hopeless = told & ~small, hopeless | (small & (farther < UNLIKELY))
        return np.asarray(told), np.asarray(hopeless)

    def _farther(self, own: Board, metric: int) -> Array:
        """The chance that two methods will be farther apart by all images than what matters under a metric.

        The mean of all images is that of those seen and of the rest, which are as uncertain as those seen.
        """
        pairs = paired(own.quality[:, metric], own.run).among(own.methods)
        spread = np.maximum(pairs.error, 1e-12) * np.sqrt(1 - self.fraction)
        ends = (own.smallest[metric] - pairs.difference) / spread, (own.smallest[metric] + pairs.difference) / spread
        return np.asarray(stats.norm.sf(ends[0]) + stats.norm.sf(ends[1]))

    def _half_widths(self, scores: Array) -> Array:
        """Half of each 95% interval of the comparisons won; infinite where nobody asks for it, or it is not known."""
        if self.half_width is None:
            return np.full(len(scores), np.inf)
        own = means(scores)
        return np.nan_to_num((own.high - own.low) / 2, nan=np.inf)

    def _of_entry(self, row: int, reason: str) -> Stop:
        own = self.board.entries.loc[row]
        return Stop(str(own.network), str(own.recipe), str(own.attribution), "", self.images, reason)

    def controls(self) -> list[Stop]:
        """Those that are left off now: no metric's trust hangs on them, nor does the scale from random to truth."""
        board = self.board
        needed = (self.open(~board.properties) | self._of_scale()) & self.live
        new = []
        for row in np.flatnonzero(board.entries.control.to_numpy(bool) & self.live.any(1)):
            entry = self._of_entry(int(row), "nothing hangs on it any more")
            left = {str(label) for label in board.metrics.metric[needed[row]]}
            over = [str(label) for label in board.metrics.metric[self.live[row]].unique() if label not in left]
            new += [replace(entry, metric=label) for label in over] if left else [entry]
        return new

    def _of_scale(self) -> Mask:
        """Where random map or truth is needed for the scale from one to the other, until they are told apart."""
        board, needed = self.board, np.zeros(self.live.shape, bool)
        for rows in self._networks():
            ends = [row for row in rows if board.entries.control[row] and _is_end(board, row)]
            if len(ends) == 2 and board.weights.any() and not self._ends_told(ends):
                needed[ends] = board.weights > 0
        return needed

    def _ends_told(self, ends: list[int]) -> bool:
        """Whether the random map and the truth are told apart, or would hardly be by all images."""
        p = self.board.pairs_by(self.board.weights, ends).p[0, 1]
        z = _signed(paired(self.board.scores_by(self.board.weights)[ends], self.board.run[ends]))
        chance = still_possible(np.abs(z[0, 1]), self.fraction, self._last_level(1))
        return bool(p < ALPHA or not chance > UNLIKELY)

    def rest(self) -> list[Stop]:
        """Everything that is left once no method is."""
        gone = {stop.metric for stop in self.stopped if not stop.attribution}
        why = "no method is left"
        labels = [str(label) for label in self.board.metrics.metric.unique() if label not in gone]
        entries = np.flatnonzero(self.live.any(1))
        return [
            *(self._of_entry(int(row), why) for row in entries),
            *(self._of_metric(label, why) for label in labels),
        ]


def ends_of(board: Board, stopped: Sequence[Stop]) -> Counts:
    """After how many images each entry was left off under each metric, (entry, metric); NEVER where it was not."""
    own = board.entries
    entries = list(zip(own.network, own.recipe, own.attribution, strict=True))
    metrics = list(board.metrics.metric)
    ends = np.full((len(entries), len(metrics)), NEVER)
    for stop in stopped:
        named = (stop.network, stop.recipe, stop.attribution)
        rows = [row for row, name in enumerate(entries) if not stop.attribution or name == named]
        columns = [column for column, name in enumerate(metrics) if stop.metric in ("", name)]
        ends[np.ix_(rows, columns)] = np.minimum(ends[np.ix_(rows, columns)], stop.images)
    return ends


def _is_end(board: Board, row: int) -> bool:
    return bool(board.entries.floor[row] or board.entries.needs_truth[row])


def _signed(pairs: Pairs) -> Array:
    """Normal statistics of the p-values, positive where the row is better; 0 where nothing can be tested."""
    size = stats.norm.isf(np.clip(np.where(np.isfinite(pairs.p), pairs.p, 1), 1e-300, 1) / 2)
    return np.nan_to_num(np.sign(pairs.difference) * size)
