"""The curves that metrics keep, as figures: means with bands, a panel for each network where there are several."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.leaderboard.board import COLUMN, ENTRY, RUN, Board
from bench.leaderboard.means import Array
from bench.report.style import colours, elided, file_name
from bench.results.result_set import Results

MOST_CURVES = 7
MOST_PANELS = 6
MOST_TICKS = 6
Curves = dict[str, Array]


def draw_curves(results: Results, board: Board) -> Iterator[tuple[str, str, Figure]]:
    """A figure for each metric that keeps curves: means with pointwise 95% bands of the best methods and controls."""
    if not len(results.curves):
        return
    board = board.whole or board
    chosen = _chosen(board)
    frames = dict(iter(results.curves.groupby([*COLUMN, *ENTRY], sort=False, observed=True)))
    shown = sum(len(rows) for rows in chosen.values()) < len(board.entries)
    some = " of the best methods and the controls" if shown else ""
    for metric, column in enumerate(board.metrics[COLUMN].itertuples(index=False, name=None)):
        panels: dict[str, Curves] = {}
        for title, rows in chosen.items():
            keys = {_name(board, row, title): (*column, *board.entries.loc[row, ENTRY]) for row in rows}
            own = {name: _by_image(frames[key]) for name, key in keys.items() if key in frames}
            panels |= {title: own} if own else {}
        if panels:
            label = board.metrics.label[metric]
            axis = _axis(board.metrics.settings[metric], next(iter(next(iter(panels.values())).values())))
            controls = {_name(board, row, title) for title in chosen for row in chosen[title] if _control(board, row)}
            yield (
                f"curve_{file_name(label)}",
                f"{label}: mean curves{some}, with pointwise 95% bands.",
                curves_figure(panels, controls, axis, label),
            )


def curves_figure(panels: dict[str, Curves], controls: set[str], axis: tuple[str, Array], label: str) -> Figure:
    """Mean curves with bands in a panel for each title; curves are (image, point) by name, of one look in all."""
    names = list(dict.fromkeys(name for curves in panels.values() for name in curves))
    looks = colours(names, [name in controls for name in names])
    across = min(len(panels), 2)
    columns = 2 if max(len(elided(name)) for name in names) <= 36 else 1
    down = -(-len(panels) // across)
    legend = 0.19 * -(-len(names) // columns)
    figure = Figure(figsize=(4.6 if across == 1 else 6.4, 0.3 + (3 if across == 1 else 2.5) * down + legend))
    places = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
    for place, (axes, (title, curves)) in enumerate(zip(places, panels.items(), strict=False)):
        for name in reversed(curves):  # the best on top
            _draw(axes, axis[1], curves[name], looks[name], name, control=name in controls)
        axes.set_title(elided(title), fontsize=9, loc="left")
        lowest = place >= len(panels) - across
        axes.tick_params(labelbottom=lowest)
        axes.set(xlabel=axis[0] if lowest else "", ylabel=label if place % across == 0 else "")
        if len(axis[1]) <= MOST_TICKS:
            axes.set_xticks(axis[1])
    for axes in places[len(panels) :]:
        axes.remove()
    lines = {line.get_label(): line for axes in places[: len(panels)] for line in axes.get_lines()}
    handles, texts = [lines[elided(name)] for name in names], [elided(name) for name in names]
    figure.legend(
        handles, texts, frameon=False, fontsize=8, loc="outside lower center", ncols=columns, columnspacing=1.2
    )
    return figure


def _draw(axes: Axes, at: Array, points: Array, look: tuple[str, str], name: str, *, control: bool) -> None:
    mean = points.mean(0)
    error = 1.96 * points.std(0, ddof=1) / np.sqrt(len(points)) if len(points) > 1 else np.zeros_like(mean)
    colour, dash = look
    if len(at) != len(mean):  # of a network with images of another size
        at = np.linspace(at[0], at[-1], len(mean))
    axes.plot(at, mean, dash, color=colour, label=elided(name), linewidth=1.2 if control else 1.7)
    axes.fill_between(at, mean - error, mean + error, color=colour, alpha=0.1 if control else 0.18, linewidth=0)


def _chosen(board: Board) -> dict[str, list[int]]:
    """The entries to draw, by panel title: those of each run apart where runs have several methods, else all in one."""
    names = [" / ".join(run) for run in board.entries[RUN].itertuples(index=False, name=None)]
    runs = list(dict.fromkeys(names[row] for row in board.order if not _control(board, row)))
    methods = [names[row] for row in board.methods]
    if len(runs) < 2 or len(set(methods)) == len(methods):
        return {"": _best(board, board.order)}
    titles = {name: _title(board, names.index(name)) for name in runs[:MOST_PANELS]}
    return {title: _best(board, [row for row in board.order if names[row] == run]) for run, title in titles.items()}


def _best(board: Board, rows: list[int]) -> list[int]:
    """The first methods of these rows and their controls, one of each label."""
    methods = [row for row in rows if not _control(board, row)][:MOST_CURVES]
    kept = [*methods, *(row for row in rows if _control(board, row))]
    return list({board.entries.label[row]: row for row in reversed(kept)}.values())[::-1]


def _title(board: Board, row: int) -> str:
    """What a run is called: of network and recipe those of which there are several."""
    return " / ".join(str(board.entries.loc[row, name]) for name in RUN if len(set(board.entries[name])) > 1)


def _name(board: Board, row: int, title: str) -> str:
    label = str(board.entries.label[row])
    return label.removeprefix(f"{title} / ") if title else label


def _control(board: Board, row: int) -> bool:
    return bool(board.entries.control[row])


def _by_image(rows: pd.DataFrame) -> Array:
    """The curves of one entry, averaged over seeds, (image, point); shorter curves than the longest are left out."""
    length = rows["curve"].map(len).max()
    rows = rows[rows["curve"].map(len) == length]
    stacked = np.stack(rows["curve"].to_list()).astype(float)
    codes, _ = pd.factorize(rows.image)
    total = np.zeros((codes.max() + 1, length))
    np.add.at(total, codes, stacked)
    return total / np.bincount(codes)[:, None]


def _axis(settings: dict[str, object] | None, curve: Array) -> tuple[str, Array]:
    """What the points of a curve stand for: the setting with as many values, or shares of the pixels."""
    length = curve.shape[1]
    for name, values in (settings or {}).items():
        if isinstance(values, list | tuple) and len(values) == length:
            return name, np.asarray(values, float)
    return "share of the pixels", np.linspace(0, 1, length)
