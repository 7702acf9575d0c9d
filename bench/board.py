"""The scores of a result set as an array, and the order of its entries."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from bench.errors import HeatmarkError, nearest
from bench.stats import Array, Means, means
from bench.store import Results

ENTRY = ["network", "recipe", "attribution"]
_COLUMN = ["metric", "protocol", "target"]


@dataclass(frozen=True)
class Board:
    """Entries x metrics of a result set.

    `entries` has the columns network, recipe, attribution, label, control; `metrics` the columns metric,
    protocol, target, label, direction, ...; `scores` (entry, metric, seed, image), NaN where refused.
    """

    entries: pd.DataFrame
    metrics: pd.DataFrame
    images: tuple[str, ...]
    scores: Array
    manifest: dict[str, Any]

    @cached_property
    def by_image(self) -> Array:
        """Scores (entry, metric, image): the mean over the seeds that have one."""
        if self.scores.shape[2] == 1:
            return self.scores[:, :, 0]
        known = np.isfinite(self.scores)
        count = known.sum(2)
        total = np.where(known, self.scores, 0).sum(2)
        return np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)

    @cached_property
    def means(self) -> Means:
        """Mean and interval of every entry under every metric."""
        return means(self.by_image, seed=int(self.manifest.get("seed", 0)))

    @cached_property
    def ranks(self) -> Array:
        """Rank of every method under every metric, 1 for the best mean, ties sharing; NaN for controls and no score."""
        better = np.where(self.metrics.direction.eq("lower"), self.means.mean, -self.means.mean)
        better[self.entries.control.to_numpy(bool)] = np.nan
        return np.asarray(pd.DataFrame(better).rank(method="min"))

    @cached_property
    def order(self) -> list[int]:
        """Entries, best first: by mean rank over the metrics, controls last."""
        score = pd.DataFrame(self.ranks).mean(axis=1)
        frame = pd.DataFrame({"control": self.entries.control, "score": score})
        return [int(row) for row in frame.sort_values(["control", "score"], kind="stable").index]

    def select(self, metrics: Sequence[str] | None = None, entries: Sequence[str] | None = None) -> "Board":
        """Some metrics and entries, by label or name; HeatmarkError where none is called so."""
        columns = _chosen(metrics, self.metrics, ["label", "metric", "name"], "metric")
        rows = _chosen(entries, self.entries, ["label", "attribution", "name", "recipe", "network"], "entry")
        return replace(
            self,
            entries=self.entries.iloc[rows].reset_index(drop=True),
            metrics=self.metrics.iloc[columns].reset_index(drop=True),
            scores=self.scores[np.ix_(rows, columns)],
        )


def board_of(results: Results) -> Board:
    """The board of a result set.

    Raises HeatmarkError when a score is there twice.
    """
    scores, manifest = results.scores, results.manifest
    entry, entries = _codes(scores, ENTRY)
    metric, metrics = _codes(scores, _COLUMN)
    image, images = _codes(scores, ["image"])
    seed = _slots(scores, entry, len(entries))
    shape = (len(entries), len(metrics), int(seed.max(initial=0)) + 1, len(images))
    flat = np.ravel_multi_index((entry, metric, seed, image), shape) if len(scores) else np.empty(0, int)
    if len(flat) and np.bincount(flat).max() > 1:
        raise HeatmarkError("the scores hold a value twice for one entry, metric, seed and image; expected it once")
    array = np.full(int(np.prod(shape)), np.nan)
    array[flat] = np.where(scores["status"].eq("ok"), scores["score"], np.nan)
    return Board(
        entries=_described(entries, ENTRY, "attribution", manifest.get("attributions", {})),
        metrics=_described(metrics, _COLUMN, "metric", manifest.get("metrics", {})),
        images=tuple(images["image"]),
        scores=array.reshape(shape),
        manifest=manifest,
    )


def _codes(frame: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, pd.DataFrame]:
    """A number for every row's combination of columns, and the combinations, in order of first appearance."""
    combined = np.zeros(len(frame), np.int64)
    for column in columns:
        codes, known = pd.factorize(frame[column])
        combined = combined * max(len(known), 1) + codes
    codes, first = pd.factorize(combined)
    where = np.full(len(first), len(frame))
    np.minimum.at(where, codes, np.arange(len(frame)))
    return codes, frame[columns].iloc[where].astype(str).reset_index(drop=True)


def _slots(scores: pd.DataFrame, entry: np.ndarray, entries: int) -> np.ndarray:
    """The position of each row's seed among the seeds of its entry."""
    seeds, known = pd.factorize(scores["seed"], sort=True)
    present = np.zeros((entries, max(len(known), 1)), bool)
    present[entry, seeds] = True
    return (present.cumsum(1) - 1)[entry, seeds]


def _described(frame: pd.DataFrame, key: list[str], main: str, cards: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """The key columns with a label as short as it may be, and what the manifest says of each."""
    others = [column for column in key if column != main and len(set(frame[column])) > 1]
    label = frame[[*others, main]].agg(" / ".join, axis=1) if others else frame[main]
    said = [cards.get(value, {}) for value in frame[main]]
    card = {"name": [own.get("name", value) for own, value in zip(said, frame[main], strict=True)]}
    if main == "metric":
        card |= {
            "direction": [own.get("direction", "higher") for own in said],
            "question": [own.get("question", "") for own in said],
            "summary": [own.get("summary", "") for own in said],
            "blind_spot": [own.get("blind_spot", "") for own in said],
            "reference": [own.get("reference", "") for own in said],
        }
    else:
        card |= {
            "control": [bool(own.get("control", False)) for own in said],
            "needs_truth": [bool(own.get("needs_truth", False)) for own in said],
        }
    return frame.assign(label=label, **card)


def _chosen(wanted: Sequence[str] | None, frame: pd.DataFrame, columns: list[str], what: str) -> list[int]:
    if wanted is None:
        return list(range(len(frame)))
    chosen: list[int] = []
    for name in wanted:
        rows = np.flatnonzero((frame[columns] == name).any(axis=1))
        if not len(rows):
            raise HeatmarkError(f"no {what} named {name!r} on this board; {nearest(name, frame['label'])}")
        chosen += [int(row) for row in rows if row not in chosen]
    return chosen
