"""Does the order hold? The rank of every method under every metric and protocol, as a bump chart."""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures.style import COLUMN, TEXT, colours
from bench.report.short_names import shortened
from bench.report.view import Column, Line, View
from bench.statistics.means import Array

MOST_LINES = 15


def ranked(view: View) -> tuple[list[Line], list[Column], Array]:
    """Methods, metrics that judge, and the ranks, (line, 1 + column), of which the first are those of the board."""
    lines = [line for line in view.methods if line.rank is not None][:MOST_LINES]
    folded = {column.parent for column in view.columns}
    columns = [
        column
        for place, column in enumerate(view.columns)
        if place not in folded and not column.is_property and column.verdict != "no scores"
    ]
    sign = np.where(view.board.metrics.direction.eq("lower"), -1.0, 1.0)
    ranks = np.full((len(lines), 1 + len(columns)), np.nan)
    ranks[:, 0] = np.arange(len(lines)) + 1
    for place, column in enumerate(columns, 1):
        (metric,) = column.metrics
        own = sign[metric] * view.board.means.mean[[line.entry for line in lines], metric]
        known = np.isfinite(own)
        ranks[known, place] = (-own[known]).argsort(kind="stable").argsort(kind="stable") + 1
    return lines, columns, ranks


def draw_ranks(view: View, width: float) -> Figure:
    """A line for each method over the metrics, the board's own order on the left; names at both ends."""
    lines, columns, ranks = ranked(view)
    names = shortened([line.name for line in lines], 24 if width == COLUMN else 30)
    heads = shortened(["all that counts", *(column.name for column in columns)], 22)
    figure = Figure(figsize=(width, 0.95 + 0.23 * len(lines)))
    axes = figure.add_subplot()
    looks = colours([line.code for line in lines], [False] * len(lines))
    at = np.arange(ranks.shape[1])
    for row, line in enumerate(lines):
        colour, dash = looks[line.code]
        axes.plot(at, ranks[row], dash, color=colour, linewidth=1.6, marker="o", markersize=4)
        if width != COLUMN and np.isfinite(ranks[row, -1]):
            end: Any = {"textcoords": "offset points", "va": "center", "size": 8, "color": TEXT}
            axes.annotate(names[row], (at[-1], ranks[row, -1]), (7, 0), **end)
    axes.set_xticks(at, heads, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(len(lines)) + 1, [f"{name}  {place}" for place, name in enumerate(names, 1)])
    axes.set(ylim=(len(lines) + 0.5, 0.5), xlim=(-0.15, at[-1] + 0.15))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure
