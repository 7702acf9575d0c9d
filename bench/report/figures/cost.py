"""Quality against what it costs, with intervals, and the front of the methods that none beats in both."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.report.figures.place import SCALES
from bench.report.figures.style import COLUMN, LINE, PALETTE, TEXT, apart
from bench.report.short_names import shortened
from bench.report.view import Line, View
from bench.statistics.means import Array

WIDE = 20


def priced(view: View, metric: int) -> tuple[list[Line], Array, Array]:
    """The methods of which quality and this cost are known, their costs, and their places."""
    price = view.board.means.mean[:, metric]
    lines = [line for line in view.methods if np.isfinite(line.place) and np.isfinite(price[line.entry])]
    return lines, price[[line.entry for line in lines]], np.array([line.place for line in lines])


def front(price: Array, gain: Array) -> list[bool]:
    """Which of these no other beats or equals in both price and gain, being better in one."""
    at_least = (price[None, :] <= price[:, None]) & (gain[None, :] >= gain[:, None])
    better = (price[None, :] < price[:, None]) | (gain[None, :] > gain[:, None])
    return [not beaten for beaten in np.asarray((at_least & better).any(1)).tolist()]


def draw_cost(view: View, metric: int, name: str, width: float) -> Figure:
    """Place against a cost; names in a column on the right, each joined to its dot."""
    lines, price, place = priced(view, metric)
    names = shortened([line.name for line in lines], 24 if width == COLUMN else 34)
    height = max(2.2, 0.5 + 0.17 * len(lines))
    figure = Figure(figsize=(width, height))
    axes = figure.add_subplot()
    best = front(price, place)
    steps = sorted((one, other) for one, other, on in zip(price, place, best, strict=True) if on)
    axes.plot(*zip(*steps, strict=True), color=PALETTE[1], linewidth=1.2, drawstyle="steps-post", zorder=1)
    for line, one, on in zip(lines, price, best, strict=True):
        colour = PALETTE[1 if on else 0]
        axes.plot([one, one], [line.low, line.high], color=colour, linewidth=2, alpha=0.4)
        axes.plot(one, line.place, "o" if on else "s", color=colour, markersize=5)
    _scale(axes, price, name, few=width == COLUMN)
    low, high = min(place.min(), 0), max(place.max(), 1)
    axes.set(ylim=(low - 0.05, high + 0.08), ylabel=SCALES[view.placed] if height > 2.6 else "place")
    least = (high - low + 0.13) * 0.155 / (height - 0.45)
    for line, one, text, level in zip(lines, price, names, apart(list(place), least), strict=True):
        axes.annotate(
            text,
            (one, line.place),
            (1.06, level),
            textcoords=axes.get_yaxis_transform(),
            size=8,
            color=TEXT,
            va="center",
            arrowprops={"arrowstyle": "-", "color": LINE, "linewidth": 0.7, "shrinkA": 1, "shrinkB": 3},
            annotation_clip=False,
        )
    return figure


def _scale(axes: Axes, price: Array, name: str, *, few: bool) -> None:
    lowest, highest = price.min(), price.max()
    if lowest > 0 and highest > WIDE * lowest:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1,) if few or highest > 1000 * lowest else (1, 3)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(name)
    axes.margins(x=0.08)
