"""The board of a tidy frame of scores, as it is shown in a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment
from rich.console import Console

from bench.api.registry import plugin_class
from bench.errors import HeatmarkError, nearest
from bench.report.heat_table import Cell, ramp, table
from bench.report.tables import table_of
from bench.report.terminal import show
from bench.report.view import Line, View, view_of
from bench.results.result_set import SCHEMAS, Results

NEEDED = ("image", "attribution", "metric", "score")
_USUAL = {"suite": "evaluate", "dataset": "", "network": "network", "recipe": "standard", "seed": 0}
_PAGE = Environment(autoescape=True).from_string("""\
<div class="heatmark">
<p><strong>{{ view.board.question.asks }}</strong><br>{{ view.verdict.badge.text }}: {{ view.verdict.sentence }}<br>
<small>{{ view.verdict.badge.meaning }}</small></p>
<table>
<thead><tr><th>#</th><th style="text-align:left">method</th><th>place</th>
{% for column in view.columns %}<th title="{{ column.code }}">{{ column.name }} {{ column.arrow }}</th>{% endfor %}
</tr></thead>
<tbody>
{% for line, cells in rows %}<tr{% if line.control %} style="opacity:.6"{% endif %}>
<td>{{ line.rank or "" }}</td><td style="text-align:left">{{ line.name }}</td><td>{{ place(line) }}</td>
{% for cell in cells %}<td title="{{ cell.said }}"{% if cell.step >= 0 %}
 style="background:{{ colours[cell.step][0] }};color:{{ colours[cell.step][1] }}"{% endif %}>
{%- if cell.best %}<strong>{{ cell.text }}</strong>{% else %}{{ cell.text }}{% endif %}</td>{% endfor %}
</tr>
{% endfor %}</tbody>
</table>
<p><small>{{ scale }}, with 95% intervals over {{ view.verdict.over }}; {{ view.board.images | length }} images;
pale: controls.</small></p>
</div>
""")


@dataclass(frozen=True, repr=False)
class Leaderboard:
    """A board: `table` has every number, a notebook shows it as a table in colours, a terminal as text."""

    view: View

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per entry and metric, best first: mean, interval, rank, ties, place between random and truth."""
        return table_of(self.view.board)

    def __repr__(self) -> str:
        """As `heatmark run` prints it."""
        text = StringIO()
        show(self.view, Console(file=text, width=80, color_system=None))
        return text.getvalue()

    def _repr_html_(self) -> str:
        """As a notebook shows it: in each cell the place between random (0) and truth (1), or the mean score."""
        rows: list[tuple[Line, list[Cell]]] = table(self.view)
        scale = "Place: random is 0, truth is 1" if self.view.placed else "Place: share of comparisons won"
        return _PAGE.render(view=self.view, rows=rows, colours=ramp(), place=_place, scale=scale)


def leaderboard(frame: pd.DataFrame, weights: Mapping[str, float] | None = None) -> Leaderboard:
    """The board that a suite would give from the scores of `bench.evaluate`, or from those of a result set.

    `frame`: one row per image, attribution and metric. Columns `network`, `recipe` and `seed`, where there are such,
    part the rows into networks, which are then the blocks of the comparison. `weights` of metrics by label decide the
    order over all. HeatmarkError where a column is missing, or a value is there twice.
    """
    for column in NEEDED:
        if column not in frame:
            known = nearest(column, map(str, frame.columns))
            raise HeatmarkError(f"frame: no column {column!r}, as `bench.evaluate` returns it; {known}")
    known = frame.attrs.get("heatmark", {})
    scores = frame.assign(
        **{name: known.get(name, usual) for name, usual in _USUAL.items() if name not in frame},
        **{name: usual for name, usual in (("protocol", "heatmark"), ("status", "ok")) if name not in frame},
    )
    if "target" not in frame or pd.api.types.is_numeric_dtype(frame["target"]):
        scores = scores.assign(target=known.get("target", "given"))
    scores = scores[SCHEMAS["scores"].names].reset_index(drop=True)
    manifest = {
        "question": "methods",
        "attributions": _cards("attributions", scores["attribution"], known),
        "metrics": _cards("metrics", scores["metric"], known),
    }
    empty = {name: pd.DataFrame(columns=SCHEMAS[name].names) for name in ("curves", "heatmaps")}
    networks = scores[["suite", "dataset", "network", "recipe", "seed"]].drop_duplicates().assign(accuracy=np.nan)
    return Leaderboard(view_of(Results(scores=scores, networks=networks, manifest=manifest, **empty), weights))


def _cards(kind: str, labels: "pd.Series[str]", known: Mapping[str, Any]) -> dict[str, Any]:
    """What the plug-ins of these labels say of themselves: as the frame has it, or else with default settings."""
    said = known.get(kind, {})
    return {label: said.get(label) or _card(kind, str(label)) for label in labels.unique()}


def _card(kind: str, label: str) -> dict[str, Any]:
    return plugin_class(kind, label.partition("(")[0])().card.written()


def _place(line: Line) -> str:
    """A place with its interval, where it has them."""
    interval = "" if np.isnan(line.low) else f" [{line.low:.2f}, {line.high:.2f}]"
    return "" if np.isnan(line.place) else f"{line.place:.2f}{interval}"
