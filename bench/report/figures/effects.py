"""What recipes change and what it costs: effects beside plain training with the seeds, and against accuracy."""

import textwrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures.style import COLUMN, CONTROL, LINE, PALETTE, TEXT, apart
from bench.report.short_names import display, shortened
from bench.statistics.recipe_effects import ACCURACY

ABOVE, BELOW = PALETTE[2], PALETTE[3]
MOST_RECIPES = 18
ROW = 0.2


def recipe_names(recipes: list[str], most: int) -> list[str]:
    """Display names of recipes by label, what differs kept."""
    return shortened([display(recipe.partition("(")[0], recipe) for recipe in recipes], most)


def draw_effects(rows: pd.DataFrame, title: str, width: float) -> Figure:
    """The difference to plain training of every recipe under one metric, (recipe,), seeds as points.

    `rows` are those of `recipe_effects.recipe_table` of one network and metric.
    """
    before = rows["mean"].iloc[0] - rows.difference.iloc[0]
    rows = strongest(rows)
    figure = Figure(figsize=(width, 0.8 + ROW * len(rows)))
    axes = figure.add_subplot()
    at, low, high = np.arange(len(rows)), rows.difference_low.to_numpy(float), rows.difference_high.to_numpy(float)
    looks = np.select([low > 0, high < 0], [ABOVE, BELOW], CONTROL)
    axes.hlines(at, low, high, color=looks, linewidth=3, alpha=0.4)
    axes.scatter(rows.difference, at, c=looks, s=22, zorder=3)
    if rows.seeds.max() > 1:
        points = [(float(point) - before, place) for place, own in enumerate(rows.points) for point in own.split()]
        axes.plot(*zip(*points, strict=True), "|", color=TEXT, markersize=6, markeredgewidth=0.9)
    axes.axvline(0, color=TEXT, linewidth=0.9, zorder=0)
    names = recipe_names([str(recipe) for recipe in rows.recipe], 26 if width == COLUMN else 52)
    axes.set_yticks(range(len(rows)), names)
    axes.set(ylim=(len(rows) - 0.4, -0.6))
    said = textwrap.fill(f"{title}: difference to plain training", 44 if width == COLUMN else 90)
    figure.supxlabel(said, fontsize=8, color=TEXT)
    _calm(axes)
    return figure


def strongest(rows: pd.DataFrame) -> pd.DataFrame:
    """The recipes beside the control, in their order; of many those whose effect is surest for its size."""
    rows = rows[rows.recipe.ne(rows.control) & rows.difference.notna()]
    half = (rows.difference_high - rows.difference_low).fillna(np.inf) / 2
    size = (rows.difference.abs() / half.clip(lower=1e-12)).rank(method="first", ascending=False)
    return rows[size <= MOST_RECIPES]


def draw_price(table: pd.DataFrame, metric: str, title: str, width: float) -> Figure:
    """The effect of each recipe under one metric against what it does to accuracy, names beside their dots."""
    accuracy = table[table.metric.eq(ACCURACY["accuracy"])].set_index("recipe").difference
    rows = strongest(table[table.metric.eq(metric) & table.recipe.isin(accuracy.index[accuracy.notna()])])
    x, y = 100 * accuracy[rows.recipe].to_numpy(float), rows.difference.to_numpy(float)
    height = max(2.2, 0.7 + 0.17 * len(rows))
    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    axes.axvline(0, color=LINE, linewidth=1)
    axes.axhline(0, color=LINE, linewidth=1)
    axes.plot(x, y, "o", color=PALETTE[0], markersize=5)
    axes.margins(0.12)
    axes.set(xlabel="accuracy, points beside plain training", ylabel=textwrap.fill(title, 30))
    bottom, top = axes.get_ylim()
    levels = apart(list(y), 0.155 * (top - bottom) / (height - 0.65))
    names = recipe_names([str(recipe) for recipe in rows.recipe], 20 if width == COLUMN else 40)
    for one, other, level, name in zip(x, y, levels, names, strict=True):
        arrow = {"arrowstyle": "-", "color": LINE, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3}
        place: Any = {"textcoords": axes.get_yaxis_transform(), "va": "center", "annotation_clip": False}
        axes.annotate(name, (one, other), (1.05, level), size=8, color=TEXT, arrowprops=arrow, **place)
    return figure


def _calm(axes: Axes) -> None:
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
