"""What has been decided at a look, so that it needs no more images: methods, metrics that do not count, controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from bench.sequential.looks import fractions
from bench.sequential.spending import levels, still_possible
from bench.statistics.board import FEW, RUN, Board
from bench.statistics.means import Array, Mask, means
from bench.statistics.metric_audit import Finding, findings
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA, Pairs, holm, paired

UNLIKELY = 0.05  # a chance below which nothing is waited for
_SURE = 2.0  # standard errors
_MOST_NAMED = 3


@dataclass(frozen=True)
class Stop:
    """A method or control that was left off on a network after so many images (no metric), or a metric (no method)."""

    network: str
    recipe: str
    attribution: str
    metric: str
    images: int
    reason: str


def decisions(board: Board, stopped: Sequence[Stop], half_width: float | None = None) -> list[Stop]:
    """What can be left off after the images that a board of all entries holds (`build.entry_board`, with looks).

    A metric, once it is a property, or decided that it is not to be trusted. A method, once every comparison with
    another is decided (group-sequential tests, Holm, alpha shared by the networks), or would hardly be by all images,
    or its 95% interval reaches no further than `half_width`; and not before it is settled which metrics count. A
    control, once hardly anything hangs on it; and everything, once no method is left.
    """
    audit = findings(board)
    board = board.distrusting(frozenset(board.metrics.label[m] for m, own in enumerate(audit) if _is_out(own)))
    look = _Look(board, tuple(stopped), half_width)
    new = look.metrics(audit)
    if not look.open(board.weights > 0).any():
        new += look.methods()
    left = look.live.copy()
    for stop in new:
        left &= ~look.is_entry(stop)
    if not left[board.methods].any():
        return new + look.rest(new)
    return new + look.controls()


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

    @property
    def live(self) -> Mask:
        """Which entries have not been left off."""
        gone = [self.is_entry(stop) for stop in self.stopped]
        return ~np.any(gone, axis=0) if gone else np.ones(len(self.board.entries), bool)

    def is_entry(self, stop: Stop) -> Mask:
        """Which entry it is that was left off, none for a metric."""
        own = self.board.entries
        same = own.network.eq(stop.network) & own.recipe.eq(stop.recipe) & own.attribution.eq(stop.attribution)
        return np.asarray(same.to_numpy(bool) & (stop.metric == ""))

    def metrics(self, audit: Sequence[Finding]) -> list[Stop]:
        """Those that are left off now."""
        gone = {stop.metric for stop in self.stopped}
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
        """Which controls (entry,) may yet beat methods under one of these metrics, so that it is not to be trusted."""
        board = self.board
        blind = (board.entries.control & ~board.entries.needs_truth).to_numpy(bool)
        real = ~board.entries.control.to_numpy(bool)
        pairs = blind[:, None] & real[None, :] & (board.run[:, None] == board.run[None, :])
        level = self._last_level(int(pairs.sum()))
        still = np.zeros(len(board.entries), bool)
        for metric in np.flatnonzero(counted):
            z = _signed(paired(board.quality[:, metric], board.run))
            still |= (pairs & (still_possible(z, self.fraction, level) > UNLIKELY)).any(1)
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
        weights, own = self.board.weights, self.board.rows(rows)
        methods = own.methods
        if not weights.any() or not methods:
            return []
        adjusted = holm(own.pairs_by(weights, methods).p, np.ones((len(methods),) * 2, bool))
        told = adjusted < ALPHA / len(self._networks())
        scores = own.scores_by(weights)
        z = _signed(paired(scores, own.run).among(methods))
        chance = still_possible(z, self.fraction, self._last_level(len(methods) * (len(methods) - 1) // 2))
        hopeless = np.maximum(chance, chance.T) < UNLIKELY
        half = self._half_widths(scores[methods])
        new = []
        for at, row in enumerate(methods):
            entry = rows[row]
            alike = [k for k in range(len(methods)) if k != at and not told[at, k]]
            if not self.live[entry]:
                continue
            if not alike:
                new.append(self._of_entry(entry, "its place is decided"))
            elif all(hopeless[at, k] or not self.live[rows[methods[k]]] for k in alike):
                names = [str(own.entries.display[methods[k]]) for k in alike]
                reason = f"more images would hardly tell it from {listed(names, _MOST_NAMED)}"
                new.append(self._of_entry(entry, reason))
            elif self.half_width is not None and half[at] <= self.half_width:
                new.append(self._of_entry(entry, f"its place is known within {half[at]:.3f}"))
        return new

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
        needed = self.open(board.weights > 0)
        for rows in self._networks():
            ends = [row for row in rows if board.entries.control[row] and _is_end(board, row)]
            if len(ends) == 2 and board.weights.any() and not self._ends_told(ends):
                needed[ends] = True
        rest = np.flatnonzero(board.entries.control.to_numpy(bool) & self.live & ~needed)
        return [self._of_entry(int(row), "nothing hangs on it any more") for row in rest]

    def _ends_told(self, ends: list[int]) -> bool:
        """Whether the random map and the truth are told apart, or would hardly be by all images."""
        p = self.board.pairs_by(self.board.weights, ends).p[0, 1]
        z = _signed(paired(self.board.scores_by(self.board.weights)[ends], self.board.run[ends]))
        chance = still_possible(np.abs(z[0, 1]), self.fraction, self._last_level(1))
        return bool(p < ALPHA or not chance > UNLIKELY)

    def rest(self, new: Sequence[Stop]) -> list[Stop]:
        """Everything that is left once no method is."""
        known = [*self.stopped, *new]
        entries = ~np.any([self.is_entry(stop) for stop in known], axis=0)
        gone = {stop.metric for stop in known}
        why = "no method is left"
        labels = [str(label) for label in self.board.metrics.metric.unique() if label not in gone]
        return [
            *(self._of_entry(int(row), why) for row in np.flatnonzero(entries)),
            *(self._of_metric(label, why) for label in labels),
        ]


def _is_end(board: Board, row: int) -> bool:
    return bool(board.entries.floor[row] or board.entries.needs_truth[row])


def _signed(pairs: Pairs) -> Array:
    """Normal statistics of the p-values, positive where the row is better; 0 where nothing can be tested."""
    size = stats.norm.isf(np.clip(np.where(np.isfinite(pairs.p), pairs.p, 1), 1e-300, 1) / 2)
    return np.nan_to_num(np.sign(pairs.difference) * size)
