"""The figure of what recipes change: every recipe's mean, interval and seeds beside the control's."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.leaderboard.recipe_effects import ACCURACY, loses_accuracy
from bench.report.recipe_tables import shown_metrics
from bench.report.style import CONTROL, LINE, PALETTE

ABOVE, BELOW, SAME = PALETTE[2], PALETTE[3], CONTROL


def draw_recipes(table: pd.DataFrame, manifest: Mapping[str, Any], network: str, attribution: str) -> Figure:
    """Recipes down, a panel for each measure; a vertical line where the control is, a dot for each seed.

    A metric with several settings is one panel: what the recipe's own variant becomes as a share of the control's.
    """
    own = table[table.network.eq(network) & table.attribution.isin(["", attribution])]
    columns, variants = shown_metrics(own[own.attribution.ne("")], manifest)
    recipes = list(own.recipe.unique())
    panels = [*ACCURACY.values(), *columns, *variants]
    across = min(len(panels), 4)
    down = -(-len(panels) // across)
    longest = max(map(len, recipes))
    figure = Figure(figsize=(1.2 + 0.06 * longest + 2.1 * across, down * (0.9 + 0.22 * len(recipes))))
    grid = figure.subplots(down, across, sharey=True, squeeze=False)
    for axes, name in zip(grid.flat, panels, strict=False):
        rows = _relative(own, variants[name]) if name in variants else own[own.metric.eq(name)]
        _panel(axes, rows, recipes, name)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    return figure


def _relative(own: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """The recipes' own variants as a share of the control's mean."""
    rows = own[own.metric.isin(labels) & own.own]
    before = (rows["mean"] - rows.difference).abs()
    shares = {
        "mean": 1 + rows.difference / before,
        "low": 1 + rows.difference_low / before,
        "high": 1 + rows.difference_high / before,
    }
    return rows.assign(**shares, points="", is_share=True)


def _panel(axes: Axes, rows: pd.DataFrame, recipes: list[str], name: str) -> None:
    for row in rows.to_dict("records"):
        place = recipes.index(row["recipe"])
        colour = ABOVE if row["difference_low"] > 0 else BELOW if row["difference_high"] < 0 else SAME
        axes.plot([row["low"], row["high"]], [place, place], color=colour, linewidth=2.5, alpha=0.5)
        axes.plot(row["mean"], place, "X" if loses_accuracy(row) else "o", color=colour, markersize=5)
        points = [float(point) for point in row["points"].split()] if row["seeds"] > 1 else []
        axes.plot(points, [place + 0.25] * len(points), ".", color=colour, markersize=4)
    control = rows["mean"][rows.recipe.eq(rows.control)]
    share = "is_share" in rows
    centre = 1.0 if share else float(control.iloc[0]) if len(control) else np.nan
    if np.isfinite(centre):
        axes.axvline(centre, color=LINE, linewidth=1, zorder=0)
    axes.set_title(f"own {name}, share of control" if share else name, fontsize=9, loc="left")
    axes.set(yticks=range(len(recipes)), yticklabels=recipes, ylim=(len(recipes) - 0.4, -0.6))
    axes.tick_params(labelsize=8)
    axes.grid(visible=False, axis="y")
