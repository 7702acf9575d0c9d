"""The leaderboard as a table, for people, papers and programs."""

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, assert_never

import numpy as np
import pandas as pd

from bench.errors import printable
from bench.report.words import left_off
from bench.results.result_set import Results
from bench.statistics.board import Board
from bench.statistics.build import board_of
from bench.statistics.means import Counts
from bench.statistics.metric_audit import audited, calibrated
from bench.statistics.paired_tests import ALPHA
from bench.statistics.places import Place, places

Format = Literal["markdown", "csv", "json"]
ARROW = {"higher": "↑", "lower": "↓"}
TIED = "≈"
NOTE = f"In brackets 95% intervals; bold is best, {TIED} cannot be told from the best (paired tests, Holm)."


def leaderboard(
    results: Results,
    metrics: Sequence[str] | None = None,
    entries: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """One row per entry and metric, best entry over all metrics first, controls last.

    Columns: the entry, its `wins` over all metrics with interval, its `place` (0 as random, 1 as the oracle, where the
    board has both, else its wins), first and last possible rank and group; the metric; mean, interval, rank, ends of
    its interval, group, whether tied with the best, position between floor and ceiling (0 as random, 1 as the oracle),
    images and refused images. `metrics` and `entries` choose by label or name; `weights` of metrics by label decide
    the order. HeatmarkError where none is called so.
    """
    return table_of(audited(board_of(results, weights)).select(metrics, entries))


def table_of(board: Board) -> pd.DataFrame:
    """The leaderboard of a board, as `leaderboard` describes it."""
    means, overall, positions, come = board.means, board.overall_means, calibrated(board), images_come(board)
    _, methods, controls = places(board)
    placed = {own.entry: own for own in (*methods, *controls)}
    standings = [_by_entry(board, metric) for metric in range(len(board.metrics))]
    total = _by_entry(board, None)
    rows = [
        {
            **board.entries.loc[entry, ["network", "recipe", "attribution", "label", "control"]],
            "wins": overall.mean[entry],
            "wins_low": overall.low[entry],
            "wins_high": overall.high[entry],
            **_place(placed.get(entry)),
            **{f"overall_{key}": value for key, value in total[entry].items()},
            **board.metrics.loc[metric, ["metric", "protocol", "target", "direction"]],
            "column": board.metrics.label[metric],
            "mean": means.mean[entry, metric],
            "low": means.low[entry, metric],
            "high": means.high[entry, metric],
            **standings[metric][entry],
            "calibrated": positions[entry, metric],
            "images": means.images[entry, metric],
            "refused": come[entry, metric] - means.images[entry, metric],
            **_left_off(board, entry, metric),
        }
        for entry in board.order
        for metric in range(len(board.metrics))
    ]
    return pd.DataFrame(rows).rename(columns={"label": "entry"})


def _place(own: Place | None) -> dict[str, float]:
    """Where an entry stands over all metrics, as the page shows it."""
    low, at, high = (np.nan,) * 3 if own is None else (own.low, own.place, own.high)
    return {"place": at, "place_low": low, "place_high": high}


def images_come(board: Board) -> Counts:
    """How many images each entry has come to under each metric, scored or refused, (entry, metric)."""
    return np.full(board.scores.shape[:2], len(board.images)) if board.stops is None else board.stops


def _left_off(board: Board, entry: int, metric: int) -> dict[str, object]:
    """Where a run has left off what was decided: how many images were planned, and why this entry has fewer."""
    if board.stops is None:
        return {}
    network, attribution = str(board.entries.network[entry]), str(board.entries.attribution[entry])
    column = str(board.metrics.metric[metric])
    said: dict[str, str] = {}  # by network the first that holds; those of all networks are under no name
    for row in left_off(board.manifest):
        meant = row["attribution"] in ("", attribution) and (not row["metrics"] or column in row["metrics"])
        if meant and "" not in said and (not network or row["network"] in ("", network)):
            said.setdefault(row["network"], f"{row['network']} after {row['images']}: {row['why']}".strip())
    return {"planned": board.looks[-1], "left_off": "; ".join(said.values())}


def render(table: pd.DataFrame, form: Format) -> str:
    """A leaderboard as text: Markdown to read, CSV and JSON with everything; `paper_tables` has LaTeX."""
    match form:
        case "csv":
            return csv_of(table)
        case "json":
            return "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in plain_rows(table)) + "\n]\n"
        case "markdown":
            return _markdown(table)
        case _:
            assert_never(form)


def plain_rows(table: pd.DataFrame) -> list[dict[str, object]]:
    """The rows of a table for JSON, numbers with the digits that CSV has; what is no number is null."""
    return [{str(name): _plain_value(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain_value(value: object) -> object:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if np.isfinite(value) else None


def csv_of(table: pd.DataFrame) -> str:
    """A table as CSV; a text that a spreadsheet would run as a formula begins with an apostrophe."""
    texts = table.select_dtypes(["object", "string", "category"]).columns
    safe = table.assign(**{str(name): table[name].astype(object).map(_quoted) for name in texts})
    return safe.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def _quoted(value: object) -> object:
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def number(value: float, low: float, high: float) -> str:
    """A mean and its interval as a person writes it; a dash where there is no score."""
    if np.isnan(value):
        return "—"
    interval = f" [{_short(low)}, {_short(high)}]" if np.isfinite(low) else ""
    return _short(value) + interval


def _short(value: float) -> str:
    """Three decimals, or three digits of a large or very small number."""
    return f"{value:.3f}" if value == 0 or 0.01 <= abs(value) < 1000 else f"{value:.3g}"


def _by_entry(board: Board, metric: int | None) -> list[dict[str, object]]:
    """Rank, ends of its interval, group and tie with the best of every entry under a metric, or over all."""
    standing = board.overall if metric is None else board.standings[metric]
    found: list[dict[str, object]] = [
        {"rank": np.nan, "first": np.nan, "last": np.nan, "group": "", "tied": False} for _ in range(len(board.entries))
    ]
    for place, (row, letters) in enumerate(zip(standing.rows, standing.letters, strict=True)):
        found[row] = {
            "rank": place + 1,
            "first": standing.first[place],
            "last": standing.last[place],
            "group": letters,
            "tied": place > 0 and not standing.adjusted[0, place] < ALPHA,
        }
    return found


class _Cell(NamedTuple):
    text: str
    best: bool
    tied: bool


class _Row(NamedTuple):
    name: str
    placed: bool
    control: bool
    cells: list[_Cell]


def _rows(table: pd.DataFrame) -> tuple[list[str], list[_Row]]:
    heads = table.drop_duplicates("column")
    columns = [f"{column} {ARROW[way]}" for column, way in zip(heads["column"], heads.direction, strict=True)]
    rows = []
    for name, own in table.groupby("entry", sort=False):
        first = own.iloc[0]
        wins = [_Cell(number(first.wins, first.wins_low, first.wins_high), first.overall_rank == 1, first.overall_tied)]
        cells = [_Cell(number(one.mean, one.low, one.high), one.rank == 1, one.tied) for one in _records(own)]
        rows.append(_Row(str(name), not np.isnan(first.overall_rank), bool(first.control), wins + cells))
    return ["wins ↑", *columns], rows


class _Record(NamedTuple):
    mean: float
    low: float
    high: float
    rank: float
    tied: bool


def _records(own: pd.DataFrame) -> list[_Record]:
    return [_Record(*values) for values in zip(*(own[name] for name in _Record._fields), strict=True)]


def _markdown(table: pd.DataFrame) -> str:
    columns, rows = _rows(table)
    lines = ["| | entry | " + " | ".join(map(plain, columns)) + " |", "|--:|---|" + "--:|" * len(columns)]
    for place, (name, placed, control, cells) in enumerate(rows, 1):
        written = [f"**{c.text}**" if c.best else f"{c.text} {TIED}" if c.tied else c.text for c in cells]
        shown = f"*{plain(name)}* (control)" if control else plain(name)
        lines.append(f"| {place if placed else ''} | {shown} | " + " | ".join(written) + " |")
    return "\n".join([*lines, "", NOTE]) + "\n"


def plain(name: str) -> str:
    """A name that Markdown shows as it is."""
    name = printable(name)
    for sign in "\\|*_<>[]`":
        name = name.replace(sign, f"\\{sign}")
    return name
