"""Where methods lie between random and truth: over all that counts, and on each network."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.figures.style import COLUMN, CONTROL, LINE, NAMED, PALETTE, TEXT
from bench.report.short_names import shortened
from bench.report.view import Line, View

SCALES = {True: "place between random (0) and truth (1)", False: "share of comparisons won"}
SHORT = {True: "random = 0, truth = 1", False: "share won"}
ROW = 0.25  # inches
FEW = 5  # rows that have room
MOST_PANELS = 8
NEAR = 0.04  # of the axis: lines nearer than this share a label


def draw_places(view: View, width: float) -> Figure:
    """A row for each method: its place and interval, brackets about those alike, controls as lines."""
    lines = [line for line in view.methods if np.isfinite(line.place)]
    row = ROW if len(lines) > FEW else 0.4
    figure = Figure(figsize=(width, 0.85 + row * max(len(lines), 2)))
    axes = figure.add_subplot()
    for row, line in enumerate(lines):
        _dot(axes, row, line.place, line.low, line.high)
    axes.set(ylim=(len(lines) - 0.4, -0.6), xlabel=(SHORT if width == COLUMN else SCALES)[view.placed])
    axes.set_yticks(range(len(lines)), shortened([line.name for line in lines], NAMED.get(width, 24)))
    _limits(axes, [*lines, *view.controls])
    _controls(axes, view.controls, width)
    _brackets(axes, lines)
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure


def draw_networks(view: View, width: float) -> Figure:
    """A panel for each network: the place of every method on it, in the order over all of them."""
    lines = [line for line in view.methods if np.isfinite(line.place)]
    shown = list(view.by_network.items())[:MOST_PANELS]
    names = shortened([network for network, _ in shown], 26)
    across = min(len(names), 1 if width == COLUMN else 3)
    down = -(-len(names) // across)
    figure = Figure(figsize=(width, down * (0.55 + 0.2 * len(lines)) + 0.2))
    grid = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False)
    for network, axes in enumerate(grid.flat):
        if network >= len(names):
            axes.set_visible(False)
            continue
        placed, own = shown[network][1]
        for row, line in enumerate(lines):
            if (place := own.get(line.code)) is not None:
                _dot(axes, row, place.place, place.low, place.high)
        axes.set_title(names[network] if placed == view.placed else f"{names[network]} (wins)", loc="left")
        for end in (0, 1):
            axes.axvline(end, color=LINE, linewidth=0.8, zorder=0)
        axes.set_yticks(range(len(lines)), shortened([line.name for line in lines], 22))
        axes.set_ylim(len(lines) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    figure.supxlabel((SHORT if width == COLUMN else SCALES)[view.placed], fontsize=8, color=TEXT)
    return figure


def _dot(axes: Axes, row: int, place: float, low: float, high: float) -> None:
    if np.isfinite(low):
        axes.plot([low, high], [row, row], color=PALETTE[0], linewidth=3, alpha=0.45, solid_capstyle="butt")
    axes.plot(place, row, "o", color=PALETTE[0], markersize=5)


def _limits(axes: Axes, lines: list[Line]) -> None:
    ends = [0.0, 1.0]
    for line in lines:
        shown = (line.place,) if line.control else (line.place, line.low, line.high)
        ends += [end for end in shown if np.isfinite(end)]
    # An interval that reaches far out must not press all dots into a corner; a dot is always shown.
    dots = [line.place for line in lines if not line.control and np.isfinite(line.place)]
    low, high = max(min(ends), min([-0.5, *dots])), min(max(ends), max([1.7, *dots]))
    axes.set_xlim(low - 0.03 * (high - low), high + 0.09 * (high - low))


def _controls(axes: Axes, controls: list[Line], width: float) -> None:
    """A thin line for each control across all rows, its name above, in as many storeys as they need.

    Lines too near to have a name each share one, from left to right.
    """
    lowest, highest = axes.get_xlim()
    known = sorted((line for line in controls if np.isfinite(line.place)), key=lambda line: line.place)
    near: list[tuple[str, list[float]]] = []
    for line, name in zip(known, shortened([line.name for line in known], 18), strict=True):
        axes.axvline(line.place, color=CONTROL, linewidth=0.9, linestyle=":", zorder=0)
        if near and line.place - near[-1][1][-1] < NEAR * (highest - lowest):
            near[-1] = (f"{near[-1][0]}, {name}", [*near[-1][1], line.place])
        else:
            near.append((name, [line.place]))
    ends: list[float] = []
    for name, spots in near:
        half = 0.034 * (len(name) + 1.5) * (highest - lowest) / width
        centre = min(max(float(np.mean(spots)), lowest + half), highest - half)
        storey = next((floor for floor, end in enumerate(ends) if centre - half > end), len(ends))
        ends[storey : storey + 1] = [centre + half]
        shown = ((centre - lowest) / (highest - lowest), 1)
        place: Any = {"xycoords": "axes fraction", "textcoords": "offset points", "ha": "center", "va": "bottom"}
        axes.annotate(name, shown, (0, 2 + 10 * storey), size=7.5, color=CONTROL, **place)


def _brackets(axes: Axes, lines: list[Line]) -> None:
    """On the right a bracket about each group that cannot be told apart; groups that overlap stand side by side."""
    letters = dict.fromkeys(letter for line in lines for letter in line.group.split())
    ends: list[int] = []
    for letter in letters:
        rows = [row for row, line in enumerate(lines) if letter in line.group.split()]
        if len(rows) < 2:
            continue
        side = next((place for place, end in enumerate(ends) if rows[0] > end), len(ends))
        ends[side : side + 1] = [rows[-1]]
        x = 1.0 + 0.02 * side
        tops = [rows[0] - 0.3, rows[0] - 0.3, rows[-1] + 0.3, rows[-1] + 0.3]
        axes.plot(
            [x - 0.012, x, x, x - 0.012],
            tops,
            color=TEXT,
            linewidth=1.2,
            transform=axes.get_yaxis_transform(),
            clip_on=False,
        )
