"""A result set as a board: entries x metrics, with tests, ranks and an order over all metrics."""

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from bench.errors import HeatmarkError, nearest
from bench.sequential.looks import fractions
from bench.sequential.spending import paid
from bench.statistics.means import Array, Counts, Mask, Means, means, over_seeds, ratio
from bench.statistics.names import chosen_rows
from bench.statistics.paired_tests import ALPHA, Pairs, Standing, groups, holm, paired, rank_intervals, superiority
from bench.statistics.question import METHODS, Question
from bench.statistics.scale import NETWORK, Recovery, heights, ways_of
from bench.statistics.wins import overall_scores, wins

RUN = NETWORK
ENTRY = [*RUN, "attribution"]
COLUMN = ["metric", "protocol", "target"]
FEW = 0.5
OK = "ok"
Level = Literal["images", "seeds", "networks"]
COST = "cost"
SHARE = 0.02


@dataclass(frozen=True)
class Board:
    """Entries x metrics of a result set.

    `entries` has the columns network, recipe, attribution, label, control, ...; `metrics` the columns metric,
    protocol, target, label, direction, ...; `scores` (entry, metric, seed, image), NaN where refused; `asked`
    weights of metrics by label, for the order over all metrics (default: every family of metrics alike);
    `distrusted` metrics by label, which count nothing in it unless asked for. `question` is what the board answers;
    `level` what its intervals and tests are over beside the images: the trainings of a network (`seeds`), or several
    networks, called `blocks`; the third axis of `scores` holds either. `whole` has each network's entries by
    themselves, where they are averaged here; `effects` is the table of what recipes change, on boards of recipes.
    Where a run was looked at while images came in, `looks` are the counts of images at which, the last of all that were
    planned, `stops` after how many each entry was left off under each metric, (entry, metric); images in their order.
    """

    entries: pd.DataFrame
    metrics: pd.DataFrame
    images: tuple[str, ...]
    scores: Array
    manifest: dict[str, Any]
    asked: Mapping[str, float] = field(default_factory=dict)
    distrusted: frozenset[str] = frozenset()
    question: Question = METHODS
    level: Level = "images"
    blocks: tuple[str, ...] = ()
    whole: "Board | None" = None
    effects: pd.DataFrame | None = None
    recovered: Mapping[str, Recovery] = field(default_factory=dict)
    looks: tuple[int, ...] = ()
    stops: Counts | None = None

    @cached_property
    def quality(self) -> Array:
        """The scores with the sign that makes higher better."""
        return self.scores * np.where(self.metrics.direction.eq("lower"), -1.0, 1.0)[:, None, None]

    @cached_property
    def means(self) -> Means:
        """Mean and interval of every entry under every metric."""
        return means(self.scores)

    @cached_property
    def centres(self) -> Array:
        """The mean quality of every entry under every metric."""
        own = over_seeds(self.quality)
        known = np.isfinite(own)
        return ratio(np.where(known, own, 0).sum(2), known.sum(2))

    @cached_property
    def run(self) -> Counts:
        """A number for the trainings by which each entry came about."""
        return np.asarray(self.entries.groupby(RUN, sort=False).ngroup(), np.int64)

    @cached_property
    def methods(self) -> list[int]:
        """The entries that compete: all but the controls."""
        return [int(row) for row in np.flatnonzero(~self.entries.control.to_numpy(bool))]

    @cached_property
    def pairs(self) -> list[Pairs]:
        """Paired tests of all entries, controls too, under each metric; a positive difference is a better row."""
        return [self.tested(lambda b, m=m: b.quality[:, m], [m]) for m in range(len(self.metrics))]  # type: ignore[misc]

    @cached_property
    def standings(self) -> list[Standing]:
        """The order of the methods under each metric."""
        return [self._standing(self.quality[:, m], pairs, self.equal[m]) for m, pairs in enumerate(self.pairs)]

    @cached_property
    def height(self) -> Array:
        """How far the ceiling is above the floor under each metric; NaN where not significantly so, or without both."""
        board = self.whole or self
        return heights(board.entries, board.centres, np.array([pairs.p for pairs in board.pairs]) < ALPHA)

    @cached_property
    def ways(self) -> Array:
        """A length to judge differences by under each metric.

        The height; else from floor to the best end of the range; else half of the range; else 0.
        """
        return ways_of(self.entries, self.metrics, self.centres, self.height)

    @cached_property
    def smallest(self) -> Array:
        """The smallest difference that matters under each metric, on its own scale.

        What the suite says, or the metric; else a fiftieth of the way from floor to ceiling, where the board has both;
        else of that from floor to the best that there can be; else a hundredth of the metric's range; else nothing.
        """
        said = self.manifest.get("smallest") or {}
        found = []
        for row, way in zip(self.metrics.to_dict("records"), self.ways, strict=True):
            asked = said.get(row["metric"], said.get(row["name"], row["smallest"]))
            found.append(SHARE * way if asked is None or asked != asked else float(asked))
        return np.array(found)

    @cached_property
    def equal(self) -> Mask:
        """Which pairs of entries are nearer than the smallest difference that matters, (metric, entry, entry)."""
        apart = np.array([pairs.difference for pairs in self.pairs])
        return np.asarray(np.abs(apart) < self.smallest[:, None, None])

    @cached_property
    def superiority(self) -> Array:
        """Common-language effect sizes (metric, entry, entry)."""
        return np.array([superiority(self.quality[:, metric]) for metric in range(len(self.metrics))])

    @cached_property
    def properties(self) -> Mask:
        """Which metrics say what a map is like, not what it is worth."""
        return (self.metrics.is_property | self.metrics.family.eq(COST)).to_numpy(bool)

    @cached_property
    def scored(self) -> Array:
        """The share of the methods' images that each metric could score."""
        known = np.isfinite(self.quality[self.methods]).any(2)
        come = np.full(known.shape[:2], known.shape[2]) if self.stops is None else self.stops[self.methods]
        return ratio(known.sum((0, 2)), come.sum(0), 0)

    @cached_property
    def weights(self) -> Array:
        """The weight of each metric in the order over all metrics; they sum to 1.

        Every family of metrics counts alike and is shared by its metrics. Nothing count: properties of a map, cost
        among them, metrics that score less than half of the methods' images, and metrics to be distrusted unless all
        of them are. Between recipes nothing counts: there is no best over what they train on. Weights that were asked
        for replace this, metrics not mentioned then count nothing.
        """
        if self.asked:
            unknown = [label for label in self.asked if label not in set(self.metrics.label)]
            if unknown:
                raise HeatmarkError(
                    f"no metric named {unknown[0]!r} to weigh; {nearest(unknown[0], self.metrics.label)}"
                )
            raw = np.array([self.asked.get(label, 0.0) for label in self.metrics.label]) * (self.scored > 0)
        elif self.question.kind == "recipes":
            return np.zeros(len(self.metrics))
        else:
            counts = (self.scored >= FEW) & ~self.properties
            trusted = counts & ~self.metrics.label.isin(self.distrusted).to_numpy(bool)
            counts = trusted if trusted.any() else counts
            size = pd.Series(counts).groupby(self.metrics.family.to_numpy()).transform("sum").to_numpy()
            raw = ratio(counts, size, 0)
        if not raw.sum() > 0:
            return np.zeros(len(raw))
        return np.asarray(raw / raw.sum())

    @cached_property
    def wins(self) -> Array:
        """How often each entry beats the methods, (entry, metric, seed, image), as `bench.statistics.wins` says."""
        return wins(self.quality, self.methods, self.stops)

    @cached_property
    def overall_scores(self) -> Array:
        """Weighted wins (entry, seed, image); NaN for an entry that some weighted metric could not score."""
        return self.scores_by(self.weights)

    @cached_property
    def overall_means(self) -> Means:
        """The share of comparisons each entry wins, over all metrics, with intervals cut to what a share can be."""
        return means(self.overall_scores).within(0, 1)

    @cached_property
    def overall(self) -> Standing:
        """The order of the methods over all metrics."""
        return self.standing_by(self.weights)

    @cached_property
    def order(self) -> list[int]:
        """All entries, best first over all metrics; methods that miss a metric after them, then controls."""
        rest = [row for row in self.methods if row not in self.overall.rows]
        share = np.nan_to_num(self.overall_means.mean, nan=-1)
        controls = [row for row in np.argsort(-share, kind="stable") if self.entries.control[row]]
        return [*self.overall.rows, *rest, *(int(row) for row in controls)]

    def standing_by(self, weights: Array) -> Standing:
        """The order of the methods over all metrics by weights that sum to 1."""
        counted = np.flatnonzero(weights)
        equal = np.asarray(self.equal[counted].all(0) & (len(counted) > 0))
        return self._standing(self.scores_by(weights), self.pairs_by(weights), equal)

    def pairs_by(self, weights: Array, rows: Sequence[int] | None = None) -> Pairs:
        """Paired tests over all metrics by weights that sum to 1, of all entries or of some."""
        return self.tested(lambda board: board.scores_by(weights), np.flatnonzero(weights).tolist(), rows)

    def place(self, metric: int, entry: int) -> int | None:
        """Where an entry stands in the order under a metric, 0 for the first; None for controls and no score."""
        rows = self.standings[metric].rows
        return rows.index(entry) if entry in rows else None

    def distrusting(self, labels: frozenset[str]) -> "Board":
        """The same board, its order without the metrics of these labels; what it knows of each metric stays known."""
        other = copy(self)
        for name in ("weights", "overall_scores", "overall_means", "overall", "order", "earlier"):
            other.__dict__.pop(name, None)
        object.__setattr__(other, "distrusted", labels)
        return other

    def select(self, metrics: Sequence[str] | None = None, entries: Sequence[str] | None = None) -> "Board":
        """Some metrics and entries, by label or name; HeatmarkError where none is called so."""
        if metrics is None and entries is None:
            return self  # with all that it knows already
        columns = chosen_rows(metrics, self.metrics, ["label", "metric", "name"], "metric")
        rows = chosen_rows(entries, self.entries, ["label", "attribution", "name", *RUN], "entry")
        chosen = self.rows(rows)
        return replace(
            chosen,
            metrics=self.metrics.iloc[columns].reset_index(drop=True),
            scores=chosen.scores[:, columns],
            stops=None if chosen.stops is None else chosen.stops[:, columns],
            whole=chosen.whole and chosen.whole.select(list(self.metrics.label.iloc[columns])),
        )

    def rows(self, rows: Sequence[int]) -> "Board":
        """Some entries by their positions."""
        own = self.entries.iloc[list(rows)].reset_index(drop=True)
        whole = self.whole
        if whole is not None:
            whole = whole.rows([int(row) for row in np.flatnonzero(whole.entries.attribution.isin(own.attribution))])
        stops = None if self.stops is None else self.stops[list(rows)]
        return replace(self, entries=own, scores=self.scores[list(rows)], whole=whole, stops=stops)

    @cached_property
    def earlier(self) -> dict[int, "Board"]:
        """What was there of this board at each look up to the last, with the weights that it has now."""
        if self.stops is None:
            return {}
        part = replace(self, looks=(), asked=dict(zip(self.metrics.label, self.weights, strict=True)))
        counts = [count for count in self.looks if count <= len(self.images)]
        return {n: replace(part, scores=self.scores[..., :n], stops=np.minimum(self.stops, n)) for n in counts}

    def tested(
        self, scores: Callable[["Board"], Array], metrics: Sequence[int], rows: Sequence[int] | None = None
    ) -> Pairs:
        """Paired tests of entries (`rows`, or all) by scores (entry, seed, image) of a board, made of these metrics.

        Where there were looks, p-values have paid for them: the smallest over those that both entries have come to.
        """
        own = list(range(len(self.entries)) if rows is None else rows)
        pairs = paired(scores(self)[own], self.run[own])
        if self.stops is None:
            return pairs
        ends = self.stops[np.ix_(own, list(metrics))].max(1, initial=0)
        p = np.ones(pairs.p.shape)
        for look, (count, board) in enumerate(self.earlier.items()):
            now = paid(paired(scores(board)[own], self.run[own]).p, fractions(self.looks), look)
            p = np.where(np.minimum(ends[:, None], ends) >= count, np.fmin(p, now), p)
        return replace(pairs, p=np.where(np.isfinite(pairs.p), p, np.nan))

    def scores_by(self, weights: Array) -> Array:
        """Wins over all metrics by weights that sum to 1, (entry, seed, image)."""
        ends = None if self.stops is None else self.stops[:, np.flatnonzero(weights)].max(1, initial=0)
        return overall_scores(self.wins, weights, ends)

    def _standing(self, scores: Array, everyone: Pairs, equal: Mask) -> Standing:
        own = over_seeds(scores)
        known = np.isfinite(own)
        centre = np.where(known, own, 0).sum(1) / np.maximum(known.sum(1), 1)
        there = [row for row in self.methods if known[row].any()]
        rows = sorted(there, key=lambda row: -centre[row])
        if not (np.isfinite(scores[there]) == np.isfinite(scores[there[:1]])).all():
            # Means over other images are not to be compared; differences on the same ones are.
            rows.sort(key=lambda row: -(everyone.difference[row, there] > 0).sum())
        pairs = everyone.among(rows)
        alike = equal[np.ix_(rows, rows)]
        adjusted = holm(pairs.p, np.ones(pairs.p.shape, bool))
        adjusted[alike & np.isfinite(adjusted)] = 1
        first, last = rank_intervals(pairs.difference, adjusted)
        return Standing(rows, pairs, adjusted, alike, first, last, groups(adjusted < ALPHA))
