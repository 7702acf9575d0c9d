"""The curves that metrics keep: means with bands, a panel for each metric, six lines at most, named where they end."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.protocol_versions import OF_LOGITS
from bench.report.figures.style import COLUMN as COLUMN_WIDTH
from bench.report.figures.style import LINE, TEXT, apart, colours
from bench.report.short_names import shortened
from bench.report.view import Line, View
from bench.results.result_set import Results
from bench.statistics.board import COLUMN
from bench.statistics.means import Array

MOST_CURVES = 6
MOST_TICKS = 6
Curves = dict[str, Array]
_NONE = pd.DataFrame({"curve": []})


def curves_of(results: Results, view: View) -> Iterator[tuple[int, Curves]]:
    """For each metric that keeps curves its number and the curves (image, point) of the lines to draw, by code name."""
    if not len(results.curves):
        return
    frames = dict(iter(results.curves.groupby([*COLUMN, "attribution"], sort=False, observed=True)))
    for metric, column in enumerate(view.board.metrics[COLUMN].itertuples(index=False, name=None)):
        keys = {line.code: (*column, line.code) for line in drawn(view)}
        own = {code: found for code, key in keys.items() if len(found := _by_image(frames.get(key, _NONE)))}
        if own:
            yield metric, own


def drawn(view: View) -> list[Line]:
    """The best methods, then random and truth, or other controls where they are not there: six at most."""
    controls = sorted(view.controls, key=lambda line: line.kind == "control")[:2]
    return [*view.methods[: MOST_CURVES - len(controls)], *controls]


def draw_curves(view: View, metric: int, curves: Curves, axis: tuple[str, str], width: float) -> Figure:
    """Mean curves of one metric with pointwise 95% bands; `axis` names what lies below and on the left."""
    lines = [line for line in drawn(view) if line.code in curves]
    looks = colours([line.code for line in lines], [line.control for line in lines])
    at = _points(view.board.metrics.settings[metric], next(iter(curves.values())).shape[1])
    figure = Figure(figsize=(width, 2.2 if width == COLUMN_WIDTH else 3))
    axes = figure.add_subplot()
    ends, low, high = [], np.inf, -np.inf
    for line in reversed(lines):
        mean, error = _band(curves[line.code])
        at_own = at if len(at) == len(mean) else np.linspace(at[0], at[-1], len(mean))
        colour, dash = looks[line.code]
        axes.plot(at_own, mean, dash, color=colour, linewidth=1.2 if line.control else 1.7)
        axes.fill_between(at_own, mean - error, mean + error, color=colour, alpha=0.15, linewidth=0)
        ends.append(float(mean[-1]))
        low, high = min(low, float((mean - error).min())), max(high, float((mean + error).max()))
    pad = 0.04 * (high - low or 1.0)
    axes.set(ylim=(low - pad, high + pad), xlim=(at[0], at[-1]), xlabel=axis[0], ylabel=axis[1])
    if len(at) <= MOST_TICKS:
        axes.set_xticks(at)
    names = shortened([line.name for line in reversed(lines)], 24 if width == COLUMN_WIDTH else 30)
    _name(axes, figure, ends, names, [looks[line.code] for line in reversed(lines)])
    return figure


def _name(axes: Axes, figure: Figure, ends: list[float], names: list[str], looks: list[tuple[str, str]]) -> None:
    """Each name beside the end of its curve, joined to it by a line of its colour."""
    bottom, top = axes.get_ylim()
    least = 0.15 * (top - bottom) / (figure.get_figheight() - 0.55)
    levels = apart([min(max(end, bottom), top) for end in ends], least)
    over = max(max(levels) - (top - least / 2), 0)
    for end, level, name, (colour, dash) in zip(ends, levels, names, looks, strict=True):
        share = (level - over - bottom) / (top - bottom)
        start = (end - bottom) / (top - bottom)
        beside: Any = {"transform": axes.transAxes, "clip_on": False}
        axes.plot([1, 1.05, 1.1], [start, share, share], dash, color=colour, linewidth=1.3, **beside)
        axes.text(1.12, share, name, transform=axes.transAxes, va="center", size=8, color=TEXT)
    axes.spines["right"].set(visible=True, color=LINE)


def _band(points: Array) -> tuple[Array, Array]:
    mean = points.mean(0)
    error = 1.96 * points.std(0, ddof=1) / np.sqrt(len(points)) if len(points) > 1 else np.zeros_like(mean)
    return mean, error


def _by_image(rows: pd.DataFrame) -> Array:
    """Curves averaged over seeds and networks, (image, point).

    Left out are those with a point that is no number, and those that are shorter than the longest.
    """
    rows = rows[rows["curve"].map(lambda points: bool(np.isfinite(points).all())).astype(bool)]
    if not len(rows):
        return np.empty((0, 0))
    length = rows["curve"].map(len).max()
    rows = rows[rows["curve"].map(len) == length]
    stacked = np.stack(rows["curve"].to_list()).astype(float)
    codes, _ = pd.factorize(rows.image)
    total = np.zeros((codes.max() + 1, length))
    np.add.at(total, codes, stacked)
    return total / np.bincount(codes)[:, None]


def _points(settings: dict[str, object] | None, length: int) -> Array:
    """What the points of a curve stand for: the setting with as many values, or shares of the pixels."""
    for values in (settings or {}).values():
        if isinstance(values, list | tuple) and len(values) == length:
            return np.asarray(values, float)
    return np.linspace(0, 1, length)


def axis_names(settings: dict[str, object] | None, protocol: str, curve: Array, name: str) -> tuple[str, str]:
    """What lies on the axes of a curve: the setting it runs over, or the share of the pixels, and what is measured."""
    said = settings or {}
    for key, values in said.items():
        if isinstance(values, list | tuple) and len(values) == curve.shape[1]:
            return key.replace("_", " "), "score"
    output = str(said.get("output") or ("logit" if protocol in OF_LOGITS else "probability"))
    what = "pixels deleted" if "eletion" in name else "pixels inserted" if "nsertion" in name else "pixels changed"
    return f"share of {what}", f"{output} of the class"
