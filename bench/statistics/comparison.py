"""Two result sets, image by image: what changed beyond noise."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bench.errors import HeatmarkError
from bench.protocol_versions import versioned, versioned_label
from bench.results.result_set import Results
from bench.statistics.board import COLUMN, ENTRY, Board
from bench.statistics.build import entry_board
from bench.statistics.means import mean_of_known, over_seeds
from bench.statistics.paired_tests import ALPHA, adjusted_by_holm, paired


@dataclass(frozen=True)
class Comparison:
    """What changed from one result set to another.

    `table` has a row per entry and metric that both hold: the means of both over the images that both scored, the
    `change` (second minus first) with its standard `error`, its `p` by Holm over all rows, and a `verdict`: better,
    worse, same, refused (the second has no score where the first had) or untested. `missing` names what only the
    first holds, `added` what only the second does; `left` and `new` are how many images only one of them holds.
    """

    table: pd.DataFrame
    missing: list[str]
    added: list[str]
    left: int
    new: int

    @property
    def regressed(self) -> bool:
        """Whether anything is significantly worse, refused or gone."""
        return bool(self.missing) or bool(self.table.verdict.isin(["worse", "refused"]).any())


def compare(first: Results, second: Results) -> Comparison:
    """Compare two result sets: a paired test per entry and metric over the images that both scored.

    Raises HeatmarkError when they share no score, or are of different data sets, whose images may be called alike.
    """
    data = [str(results.manifest["dataset"].get("label", "")).partition("(")[0] for results in (first, second)]
    if data[0] != data[1]:
        raise HeatmarkError(f"the two result sets are of {data[0]} and of {data[1]}; expected the same images")
    one, other = entry_board(first), entry_board(second)
    entries, columns = _shared(one.entries, other.entries, ENTRY), _shared(one.metrics, other.metrics, COLUMN)
    position = {image: number for number, image in enumerate(other.images)}
    images = [(here, position[image]) for here, image in enumerate(one.images) if image in position]
    if not (entries and columns and images):
        raise HeatmarkError("the two result sets share no entry, metric and image; expected the same suite")
    retrained = _weights(first) != _weights(second)
    rows = []
    for here, there in entries:
        for column, same in columns:
            before = one.scores[here, column][:, [i for i, _ in images]]
            after = other.scores[there, same][:, [i for _, i in images]]
            both = np.isfinite(before).any(0) & np.isfinite(after).any(0)
            gone = np.isfinite(before).any(0) & ~both
            rows.append(
                {
                    **one.entries.loc[here, ENTRY],
                    **one.metrics.loc[column, [*COLUMN, "direction"]],
                    **_change(before[:, both], after[:, both], retrained=retrained),
                    "refused": int(gone.sum()),
                }
            )
    table = pd.DataFrame(rows)
    known = table.p.notna()
    table.loc[known, "p"] = adjusted_by_holm(table.p[known].to_numpy(float))
    gain = table.change * np.where(table.direction.eq("lower"), -1, 1)
    refused = table.images.eq(0) & table.refused.gt(0)
    cases = [refused, table.p.isna(), table.p.ge(ALPHA), gain > 0]
    table["verdict"] = np.select(cases, ["refused", "untested", "same", "better"], "worse")
    left, new = len(one.images) - len(images), len(other.images) - len(images)
    return Comparison(table, _lacking(one, other), _lacking(other, one), left, new)


def _change(before: np.ndarray, after: np.ndarray, *, retrained: bool) -> dict[str, float]:
    """Means and a paired test; networks trained anew share no seeds with those before."""
    if not before.shape[1]:
        return dict.fromkeys(("first", "second", "change", "error", "p"), np.nan) | {"images": 0}
    seeds = min(len(before), len(after))
    scores = np.stack([after[:seeds], before[:seeds]])
    pairs = paired(scores, np.arange(2) if retrained else np.zeros(2, np.int64))
    flat = over_seeds(scores)
    second, first = mean_of_known(np.where(np.isfinite(flat).all(0), flat, np.nan), 1)
    return {
        "first": float(first),
        "second": float(second),
        "change": float(pairs.difference[0, 1]),
        "error": float(pairs.error[0, 1]),
        "p": float(pairs.p[0, 1]),
        "images": int(pairs.images[0, 1]),
    }


def _shared(one: pd.DataFrame, other: pd.DataFrame, key: list[str]) -> list[tuple[int, int]]:
    there = {row: number for number, row in enumerate(_keys(other, key))}
    keys = _keys(one, key)
    return [(number, there[row]) for number, row in enumerate(keys) if row in there]


def _keys(rows: pd.DataFrame, key: list[str]) -> list[tuple[str, ...]]:
    """What entries or metrics are told apart by; protocols and labels of metrics with the version they follow."""
    if key == COLUMN:
        stamps = rows.protocol.astype(str)
        labels = [versioned_label(label, stamp) for label, stamp in zip(rows.metric.astype(str), stamps, strict=True)]
        rows = rows.assign(metric=labels, protocol=stamps.map(versioned))
    return [tuple(map(str, row)) for row in rows[key].itertuples(index=False)]


def _lacking(one: Board, other: Board) -> list[str]:
    """The entries and metrics of one board that the other does not have."""
    missing = []
    for ours, theirs, key in ((one.entries, other.entries, ENTRY), (one.metrics, other.metrics, COLUMN)):
        shared = {row for row, _ in _shared(ours, theirs, key)}
        missing += [" / ".join(own) for row, own in enumerate(ours[key].itertuples(index=False)) if row not in shared]
    return missing


def _weights(results: Results) -> list[str]:
    return sorted(results.networks.weights.astype(str))
