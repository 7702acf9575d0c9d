"""The effects of recipes as a table in Markdown."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench.report.tables import ARROW, plain
from bench.statistics.recipe_effects import ACCURACY, LARGEST_DROP, Row, loses_accuracy

RISES, FALLS, WARNING = "▲", "▼", "⚠"
NOTE = (
    f"In brackets 95% intervals: Student's t over seeds, whose means stand below; with one seed over images, and so "
    f"conditional on that network. {RISES} {FALLS}: significantly above or below the first recipe (the interval of the "
    f"paired difference, not corrected for many comparisons, leaves out zero). {WARNING}: more than "
    f"{100 * LARGEST_DROP:.0f} points less accurate than it."
)


def render_recipes(table: pd.DataFrame, manifest: Mapping[str, Any]) -> str:
    """The table in Markdown, one for each network and attribution: recipes down, metrics across.

    Of a metric that is there with several settings only the one that the recipe trains on is shown, as what becomes
    of the control's mean.
    """
    parts = []
    measured = table[table.attribution.ne("")]
    for key, frame in measured.groupby(["network", "attribution"], sort=False):
        network, attribution = map(str, key)
        columns, variants = shown_metrics(frame, manifest)
        heads = [*ACCURACY.values(), *(f"{name} {ARROW[_direction(manifest, name)]}" for name in columns)]
        heads += [f"own {name}" for name in variants]
        lines = [f"### {plain(network)}, {plain(attribution)}", ""]
        lines += ["| recipe | " + " | ".join(map(plain, heads)) + " |", "|---|" + "--:|" * len(heads)]
        for recipe, own in frame.groupby("recipe", sort=False):
            accuracy = table[table.attribution.eq("") & table.network.eq(network) & table.recipe.eq(recipe)]
            rows = {row["metric"]: row for row in [*accuracy.to_dict("records"), *own.to_dict("records")]}
            cells = [_cell(rows.get(name)) for name in [*ACCURACY.values(), *columns]]
            cells += [_own_cell([rows[label] for label in labels if label in rows]) for labels in variants.values()]
            lines.append(f"| {plain(str(recipe))} | " + " | ".join(cells) + " |")
        parts.append("\n".join(lines))
    return "\n\n".join([*parts, NOTE]) + "\n"


def shown_metrics(rows: pd.DataFrame, manifest: Mapping[str, Any]) -> tuple[list[str], dict[str, list[str]]]:
    """Metrics with one column each, and by name those with several settings of which a recipe trains on one."""
    names: dict[str, list[str]] = {}
    for label in rows.metric.unique():
        names.setdefault(manifest["metrics"][label]["name"], []).append(label)
    trained_on = set(rows.metric[rows.own.astype(bool)])
    variants = {name: own for name, own in names.items() if len(own) > 1 and trained_on.intersection(own)}
    return [own[0] for own in names.values() if len(own) == 1], variants


def _direction(manifest: Mapping[str, Any], metric: str) -> str:
    return str(manifest["metrics"][metric]["direction"])


def _cell(row: Row | None) -> str:
    if row is None or np.isnan(row["mean"]):
        return "—"
    digits = ".3f" if row["attribution"] else ".1%"
    interval = f" [{row['low']:{digits}}, {row['high']:{digits}}]" if np.isfinite(row["low"]) else ""
    points = "<br>" + " · ".join(f"{float(point):{digits}}" for point in row["points"].split())
    mark = f" {WARNING}" if loses_accuracy(row) else ""
    return f"{row['mean']:{digits}}{interval}{sign(row)}{mark}{points if row['seeds'] > 1 else ''}"


def _own_cell(rows: list[Row]) -> str:
    own = [row for row in rows if row["own"]]
    if len(own) != 1:
        return "—"
    (row,) = own
    before = row["mean"] - row["difference"]
    low, high = row["difference_low"] / abs(before), row["difference_high"] / abs(before)
    return f"{before:.3g} → {row['mean']:.3g}, {row['change']:+.0%} [{low:+.0%}, {high:+.0%}]{sign(row)}"


def sign(row: Row) -> str:
    """Whether the recipe is significantly above or below the control."""
    if row["difference_low"] > 0:
        return f" {RISES}"
    return f" {FALLS}" if row["difference_high"] < 0 else ""
