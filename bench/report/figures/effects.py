"""What recipes change and what it costs: effects beside plain training with the seeds, and against accuracy."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.figures.style import COLUMN, CONTROL, LINE, PALETTE, TEXT, apart
from bench.report.short_names import parted, shortened
from bench.statistics.means import Array, Mask
from bench.statistics.recipe_effects import ACCURACY

ABOVE, BELOW = PALETTE[2], PALETTE[3]
MOST_RECIPES = 18
ROW = 0.2
Names = Mapping[str, str]


def draw_effects(
    rows: pd.DataFrame, names: Names, title: str, width: float, told: frozenset[str] = frozenset()
) -> Figure:
    """The difference to plain training of every recipe under one metric, (recipe,), seeds as marks.

    An accuracy is drawn in points, from 0 to 100.

    `rows` are those of `recipe_effects.recipe_table` of one network and metric; `names` the display names of recipes;
    `told` the recipes whose effect is significant.
    """
    rows = strongest(rows)
    of_accuracy = rows.metric.isin(list(ACCURACY.values())).all()
    size, unit = (100, ", points") if of_accuracy else (1, "")
    ends = size * rows[["difference", "difference_low", "difference_high"]].to_numpy(float).T
    seeds = [[size * float(point) for point in own.split()] for own in rows.apart] if rows.seeds.max() > 1 else []
    said = f"{title}{unit}: {against(rows, names)}"
    sure = rows.recipe.isin(told).to_numpy()
    return _draw([names[recipe] for recipe in rows.recipe], ends, sure, seeds, said, width)


def draw_own(rows: pd.DataFrame, names: Names, width: float) -> Figure:
    """How far every recipe changes the very measure that it trains on, in percent of what it is beside it."""
    rows = strongest(rows)
    size = np.abs(rows["mean"].to_numpy(float) - rows.difference.to_numpy(float))
    ends = 100 * rows[["difference", "difference_low", "difference_high"]].to_numpy(float).T / size
    said = f"what a recipe trains on, in percent: {against(rows, names)}"
    return _draw([names[recipe] for recipe in rows.recipe], ends, _beside_zero(ends), [], said, width)


def against(rows: pd.DataFrame, names: Names) -> str:
    """In words what recipes are compared with."""
    return f"difference to {names[str(rows.control.iloc[0])].lower()}"


def strongest(rows: pd.DataFrame) -> pd.DataFrame:
    """The recipes beside the control, in their order; of many those whose effect is surest for its size."""
    rows = rows[rows.recipe.ne(rows.control) & rows.difference.notna()]
    half = (rows.difference_high - rows.difference_low).fillna(np.inf) / 2
    size = (rows.difference.abs() / half.clip(lower=1e-12)).rank(method="first", ascending=False)
    return rows[size <= MOST_RECIPES]


def draw_price(table: pd.DataFrame, names: Names, metric: str, title: str, width: float) -> Figure:
    """The effect of each recipe under one metric against what it does to accuracy, names beside their dots."""
    accuracy = table[table.metric.eq(ACCURACY["accuracy"])].set_index("recipe").difference
    rows = strongest(table[table.metric.eq(metric) & table.recipe.isin(accuracy.index[accuracy.notna()])])
    x, y = 100 * accuracy[rows.recipe].to_numpy(float), rows.difference.to_numpy(float)
    shown = [names[recipe] for recipe in rows.recipe]
    kinds = list(dict.fromkeys(parted(name)[0] for name in shown))
    labels = _told_apart(shown)
    height = max(2.2, 0.7 + 0.17 * len(rows))
    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.axvline(0, color=LINE, linewidth=1)
    axes.axhline(0, color=LINE, linewidth=1)
    looks = [PALETTE[kinds.index(parted(name)[0]) % len(PALETTE)] for name in shown]
    axes.scatter(x, y, c=looks, s=25, zorder=3)
    axes.margins(0.12)
    _few_ticks(axes, "both")
    axes.set(xlabel="change in accuracy, points", ylabel=textwrap.fill(title, 30))
    bottom, top = axes.get_ylim()
    levels = apart(list(y), 0.155 * (top - bottom) / (height - 0.65))
    for one, other, level, label in zip(x, y, levels, labels, strict=True):
        arrow = {"arrowstyle": "-", "color": LINE, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3}
        place: Any = {"textcoords": axes.get_yaxis_transform(), "va": "center", "annotation_clip": False}
        axes.annotate(label, (one, other), (1.05, level), size=7.5, color=TEXT, arrowprops=arrow, **place)
    if labels != shown and len(kinds) > 1:
        _legend(figure, kinds)
    return figure


def _beside_zero(ends: Array) -> Mask:
    """Where an interval leaves out zero."""
    return np.asarray((ends[1] > 0) | (ends[2] < 0))


def _draw(
    names: Sequence[str], ends: Array, sure: Mask, seeds: Sequence[Sequence[float]], said: str, width: float
) -> Figure:
    """A row for each recipe, `ends` its middle, low and high end; recipes of one kind below the name of the kind."""
    rows, labels, kinds = _in_groups(names)
    figure = Figure(figsize=(width, 0.8 + ROW * len(labels)))
    axes = figure.add_subplot()
    middle, low, high = ends
    looks = np.select([sure & (middle > 0), sure & (middle < 0)], [ABOVE, BELOW], CONTROL)
    axes.hlines(rows, low, high, color=looks, linewidth=3, alpha=0.4)
    axes.scatter(middle, rows, c=looks, s=22, zorder=3)
    points = [(point, row) for row, own in zip(rows, seeds, strict=False) for point in own]
    if points:
        axes.plot(*zip(*points, strict=True), "|", color=TEXT, markersize=6, markeredgewidth=0.9)
    axes.axvline(0, color=TEXT, linewidth=0.9, zorder=0)
    axes.set_yticks(range(len(labels)), labels, size=7.5)
    for kind in kinds:
        axes.get_yticklabels()[kind].set_fontweight("bold")
    axes.set(ylim=(len(labels) - 0.4, -0.6))
    _few_ticks(axes, "x")
    figure.supxlabel(textwrap.fill(said, 44 if width == COLUMN else 90), fontsize=8, color=TEXT)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def _few_ticks(axes: Axes, which: Literal["x", "both"]) -> None:
    """Ticks that have room in a narrow panel: few, and small numbers as powers of ten."""
    axes.locator_params(axis="x", nbins=3)
    axes.ticklabel_format(axis=which, scilimits=(-3, 4))
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_offset_text().set_fontsize(7)


def _in_groups(names: Sequence[str]) -> tuple[list[int], list[str], list[int]]:
    """The row of each recipe, the label of every row, and which rows name a kind of recipe that is there in several."""
    bases = [parted(name)[0] for name in names]
    rows, labels, kinds = dict.fromkeys(range(len(names)), 0), list[str](), list[int]()
    for base in dict.fromkeys(bases):
        own = [place for place, other in enumerate(bases) if other == base]
        if len(own) > 1:
            kinds.append(len(labels))
            labels.append(base)
        for place in own:
            rows[place] = len(labels)
            labels.append((parted(names[place])[1] or "as published") if len(own) > 1 else names[place])
    return list(rows.values()), labels, kinds


def _told_apart(names: Sequence[str]) -> list[str]:
    """The settings alone where these tell all recipes apart, else the whole names."""
    settings = [parted(name)[1] or name for name in names]
    return settings if len(set(settings)) == len(settings) else shortened(names, 30)


def _legend(figure: Figure, kinds: Sequence[str]) -> None:
    marks = [
        Line2D([], [], marker="o", linestyle="", color=PALETTE[place % len(PALETTE)], label=kind)
        for place, kind in enumerate(kinds)
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, fontsize=7.5)
