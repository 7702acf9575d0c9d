"""The figures of a report, each by name, drawn from a board and the tables beside it."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.leaderboard.board import COST, Board
from bench.leaderboard.means import Array, Mask
from bench.leaderboard.metric_audit import agreement, calibrated
from bench.leaderboard.wording import listed
from bench.report.curve_figure import draw_curves
from bench.report.style import CONTROL, LINE, PALETTE, TEXT, elided, figures, file_name
from bench.report.training import draw_training, measured, training_log
from bench.results.result_set import Results

MOST_NAMED = 20
FEW_TO_CORRELATE = 10
WIDE = 20


def draw(results: Results, board: Board) -> Iterator[tuple[str, str, Figure]]:
    """Every figure that the results have something for: a file name, a caption, the figure."""
    with figures():
        if len(board.overall.rows) > 1:
            yield "order", "Share of comparisons won over the metrics that count, with 95% intervals.", order(board)
        if any(len(group) > 1 for group in board.overall.groups):
            caption = "Critical differences: methods joined by a bar cannot be told apart (paired tests, Holm)."
            yield "critical_differences", caption, critical_differences(board)
        if np.isfinite(calibrated(board)[:, _judging(board)]).any():
            yield "calibration", _scale_said(board), calibration(board)
        if len(board.metrics) > 1 and len(board.methods) > 2:
            yield "agreement", _agreement_said(board), metric_agreement(board)
        for metric in np.flatnonzero(board.metrics.family.eq(COST)):
            if _priced(board, int(metric)):
                label = board.metrics.label[metric]
                caption = f"Quality against {label}, measured on {board.manifest.get('device', 'an unknown device')}: "
                caption += "methods on the line are beaten in neither (Pareto front)."
                yield f"cost_{file_name(label)}", caption, cost(board, int(metric))
        yield from draw_curves(results, board)
        log = training_log(results)
        if len(log) and log.epoch.max() > 0:
            yield "training", f"While the networks were trained: {listed(measured(log))}.", draw_training(log)


def order(board: Board) -> Figure:
    """Methods by the share of comparisons they win, controls below in grey; narrow enough for a phone."""
    rows, shares = board.order, board.overall_means
    lowest, highest = np.nanmin(shares.mean), np.nanmax(shares.mean)
    figure = Figure(figsize=(3.5, 0.6 + 0.4 * len(rows)))
    axes = figure.add_subplot()
    for place, row in enumerate(rows):
        colour = CONTROL if board.entries.control[row] else PALETTE[0]
        axes.plot([shares.low[row], shares.high[row]], [place, place], color=colour, linewidth=3, alpha=0.45)
        axes.plot(shares.mean[row], place, "o", color=colour, markersize=5)
        axes.annotate(
            elided(board.entries.label[row]),
            (0, place),
            (2, 8),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            size=8,
            color=CONTROL if board.entries.control[row] else TEXT,
        )
    axes.set(yticks=[], xlabel="share of comparisons won", ylim=(len(rows) - 0.5, -0.8))
    axes.set_xlim(min(lowest, 0.5) - 0.1, max(highest, 0.5) + 0.1)
    axes.axvline(0.5, color=LINE, linewidth=1)
    axes.spines["left"].set_visible(False)
    return figure


def critical_differences(board: Board) -> Figure:
    """Demsar's (2006) diagram on the share of comparisons won, best on the left."""
    standing = board.overall
    rows, values = standing.rows, board.overall_means.mean[standing.rows]
    bars = [group for group in standing.groups if len(group) > 1]
    half = (len(rows) + 1) // 2
    width = max(float(values[0] - values[-1]), 1e-6)
    depth = 1 + 0.5 * len(bars)
    labels = [elided(board.entries.label[row]) for row in rows]
    figure = Figure(figsize=(4 + 0.14 * max(map(len, labels)), 0.7 + 0.24 * (half + depth)))
    axes = figure.add_subplot()
    for place, (label, value) in enumerate(zip(labels, values, strict=True)):
        left = place < half
        level = depth + (place if left else len(rows) - 1 - place)
        end = values[0] + 0.05 * width if left else values[-1] - 0.05 * width
        axes.plot([value, value, end], [0, level, level], color=CONTROL, linewidth=0.8)
        text = f"{label}  {value:.2f} " if left else f" {value:.2f}  {label}"
        axes.text(end, level, text, ha="right" if left else "left", va="center")
    for number, group in enumerate(bars):
        ends = values[group[0]] + 0.008 * width, values[group[-1]] - 0.008 * width
        axes.plot(ends, [0.7 + 0.5 * number] * 2, color=TEXT, linewidth=3, solid_capstyle="round")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set(yticks=[], xlabel="share of comparisons won", ylim=(half + depth - 0.3, 0))
    axes.set(xlim=(values[0] + 0.8 * width, values[-1] - 0.8 * width))
    axes.set_xticks(
        [tick for tick in axes.get_xticks() if values[-1] - 0.05 * width <= tick <= values[0] + 0.05 * width]
    )
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set(visible=True, bounds=(values[-1], values[0]))
    axes.grid(visible=False)
    return figure


def calibration(board: Board) -> Figure:
    """Entries x metrics, white as random, dark as the ceiling; a dot where there is no calibrated value."""
    names = [board.entries.label[row] for row in board.order]
    places = pd.DataFrame(calibrated(board)[board.order], names, board.metrics.label)
    return _heatmap(places.loc[:, places.notna().any(axis=0).to_numpy() & _judging(board)], "crest", (0, 1))


def _scale_said(board: Board) -> str:
    said = "Each mean from the random floor (0) to the ceiling, the oracle or best other control (1), of its network"
    without = board.metrics.label[_judging(board) & ~np.isfinite(calibrated(board)).any(0)]
    where = f" Left out, because on no network it is surely above: {listed(list(without), 12)}." if len(without) else ""
    return f"{said}; empty where the ceiling is not surely above the floor.{where}"


def _agreement_said(board: Board) -> str:
    said = "Do metrics agree? Spearman's correlation of the methods' means, better is higher for all"
    count = len(board.methods)
    few = ", so few that correlations of any size may be chance" if count < FEW_TO_CORRELATE else ""
    return f"{said}; over {count} methods{few}."


def _judging(board: Board) -> Mask:
    """The metrics that say something of a map, not what it costs."""
    return np.asarray(board.metrics.family.ne(COST), bool)


def metric_agreement(board: Board) -> Figure:
    """Metrics x metrics."""
    return _heatmap(agreement(board), "vlag", (-1, 1))


def cost(board: Board, metric: int) -> Figure:
    """Share of comparisons won against a cost, with the front."""
    price, share = board.means.mean[:, metric], board.overall_means.mean
    rows = _priced(board, metric)
    figure = Figure(figsize=(5.2, 4))
    axes = figure.add_subplot()
    lowest, highest = price[rows].min(), price[rows].max()
    wide = lowest > 0 and highest > WIDE * lowest
    middle = np.sqrt(lowest * highest) if wide else (lowest + highest) / 2
    best = front(price[rows], share[rows])
    line = sorted((price[row], share[row]) for row, on in zip(rows, best, strict=True) if on)
    axes.plot(*zip(*line, strict=True), color=PALETTE[1], linewidth=1.2, drawstyle="steps-post", zorder=1)
    height = 72 * 3 / (1.2 * np.ptp(share[rows]) or 1)  # points for one of share, about
    lowest_name = {False: np.inf, True: np.inf}
    for row, on in sorted(zip(rows, best, strict=True), key=lambda one: -share[one[0]]):
        axes.plot(price[row], share[row], "o" if on else "s", color=PALETTE[1 if on else 0], markersize=6 if on else 4)
        if on or len(rows) <= MOST_NAMED:
            before = bool(price[row] > middle)
            name = min(height * share[row] + 2, lowest_name[before] - 9)  # names on one side keep apart
            lowest_name[before] = name
            axes.annotate(
                elided(board.entries.label[row]),
                (price[row], share[row]),
                (-6 if before else 6, name - height * share[row]),
                textcoords="offset points",
                ha="right" if before else "left",
                size=8,
            )
    if wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=board.metrics.label[metric], ylabel="share of comparisons won")
    axes.margins(x=0.15, y=0.1)
    return figure


def _priced(board: Board, metric: int) -> list[int]:
    """The methods of which both cost and quality are known."""
    known = np.isfinite(board.means.mean[:, metric]) & np.isfinite(board.overall_means.mean)
    return [row for row in board.methods if known[row]]


def front(price: Array, gain: Array) -> list[bool]:
    """Which of these no other beats or equals in both price and gain, being better in one."""
    at_least = (price[None, :] <= price[:, None]) & (gain[None, :] >= gain[:, None])
    better = (price[None, :] < price[:, None]) | (gain[None, :] > gain[:, None])
    return [not beaten for beaten in np.asarray((at_least & better).any(1)).tolist()]


def _heatmap(table: pd.DataFrame, palette: str, limits: tuple[float, float]) -> Figure:
    rows, columns = table.shape
    names, heads = [elided(name) for name in table.index], [elided(name) for name in table.columns]
    width = 0.5 + 0.075 * max(map(len, names)) + 0.42 * columns
    figure = Figure(figsize=(width, 0.8 + 0.055 * max(map(len, heads)) + 0.26 * rows))
    axes = figure.add_subplot()
    sns.heatmap(
        table,
        vmin=limits[0],
        vmax=limits[1],
        cmap=palette,
        annot=table.map(lambda value: "" if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00")),
        fmt="",
        annot_kws={"size": 7},
        linewidths=0.5,
        linecolor=LINE,
        cbar=False,
        xticklabels=False,  # ours below; those of seaborn are measured one by one, a new canvas each
        yticklabels=False,
        ax=axes,
    )
    axes.set(xlabel="", ylabel="")
    axes.set_xticks(np.arange(columns) + 0.5, heads, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(np.arange(rows) + 0.5, names, rotation=0)
    return figure
