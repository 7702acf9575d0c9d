"""The leaderboard as a table, for people, papers and programs."""

from collections.abc import Sequence
from typing import Literal, assert_never

import numpy as np
import pandas as pd

from bench.board import Board, board_of
from bench.store import Results

Format = Literal["markdown", "latex", "csv", "json"]
ARROW = {"higher": "↑", "lower": "↓"}


def leaderboard(
    results: Results, metrics: Sequence[str] | None = None, entries: Sequence[str] | None = None
) -> pd.DataFrame:
    """One row per entry and metric: mean, ends of the 95% interval, rank among the methods, images, refused images.

    Best entry first (by mean rank over the metrics), controls last. `metrics` and `entries` choose by label or
    name, in that order; HeatmarkError where none is called so.
    """
    return table_of(board_of(results).select(metrics, entries))


def table_of(board: Board) -> pd.DataFrame:
    """The leaderboard of a board, as `leaderboard` describes it."""
    means, ranks = board.means, board.ranks
    rows = [
        {
            **board.entries.loc[entry, ["network", "recipe", "attribution", "label", "control"]],
            **board.metrics.loc[metric, ["metric", "protocol", "target", "direction"]],
            "column": board.metrics.label[metric],
            "mean": means.mean[entry, metric],
            "low": means.low[entry, metric],
            "high": means.high[entry, metric],
            "rank": ranks[entry, metric],
            "images": means.images[entry, metric],
            "refused": len(board.images) - means.images[entry, metric],
        }
        for entry in board.order
        for metric in range(len(board.metrics))
    ]
    return pd.DataFrame(rows).rename(columns={"label": "entry"})


def render(table: pd.DataFrame, form: Format) -> str:
    """A leaderboard as text: Markdown and LaTeX to read, CSV and JSON with everything."""
    match form:
        case "csv":
            return table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        case "json":
            return table.to_json(orient="records", indent=2, double_precision=6) + "\n"
        case "markdown":
            return _markdown(table)
        case "latex":
            return _latex(table)
        case _:
            assert_never(form)


def number(value: float, low: float, high: float) -> str:
    """A mean and its interval as a person writes it; a dash where there is no score."""
    if np.isnan(value):
        return "—"
    interval = f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) else ""
    return f"{value:.3f}{interval}"


def _cells(table: pd.DataFrame) -> tuple[list[str], list[tuple[str, bool, list[tuple[str, bool]]]]]:
    """Column heads, and of each entry its name, whether it is a control, and its cells with whether they are best."""
    heads = table.drop_duplicates("column")
    columns = [f"{column} {ARROW[way]}" for column, way in zip(heads["column"], heads.direction, strict=True)]
    rows = []
    for name, own in table.groupby("entry", sort=False):
        cells = [(number(*cell), rank == 1) for *cell, rank in own[["mean", "low", "high", "rank"]].to_numpy(float)]
        rows.append((str(name), bool(own.control.iloc[0]), cells))
    return columns, rows


def _markdown(table: pd.DataFrame) -> str:
    columns, rows = _cells(table)
    lines = ["| | entry | " + " | ".join(map(_plain, columns)) + " |", "|--:|---|" + "--:|" * len(columns)]
    for place, (name, control, cells) in enumerate(rows, 1):
        written = [f"**{text}**" if best else text for text, best in cells]
        shown = f"*{_plain(name)}* (control)" if control else _plain(name)
        lines.append(f"| {'' if control else place} | {shown} | " + " | ".join(written) + " |")
    return "\n".join(lines) + "\n"


def _plain(name: str) -> str:
    """A name that Markdown shows as it is."""
    for sign in "\\|*_<>[]`":
        name = name.replace(sign, f"\\{sign}")
    return name


_LATEX = str.maketrans(
    {sign: f"\\{sign}" for sign in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "↑": r"$\uparrow$", "↓": r"$\downarrow$", "—": "---"}
)


def _latex(table: pd.DataFrame) -> str:
    columns, rows = _cells(table)
    lines = [r"\begin{tabular}{l" + "r" * len(columns) + "}", r"\toprule"]
    lines += [" & ".join(["entry", *(column.translate(_LATEX) for column in columns)]) + r" \\", r"\midrule"]
    controls = False
    for name, control, cells in rows:
        if control and not controls:
            lines.append(r"\midrule")
            controls = True
        written = [rf"\textbf{{{text}}}" if best else text.translate(_LATEX) for text, best in cells]
        lines.append(" & ".join([name.translate(_LATEX), *written]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"
