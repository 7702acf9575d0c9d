"""Every figure of a board, by name: what it shows in words, and how it is drawn at a width."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from bench.report.figures.cost import draw_cost, front, priced
from bench.report.figures.curves import axis_names, curves_of, draw_curves
from bench.report.figures.effects import draw_effects, draw_price
from bench.report.figures.place import SCALES, draw_networks, draw_places
from bench.report.figures.ranks import draw_ranks, ranked
from bench.report.figures.samples import draw_gallery
from bench.report.figures.style import file_name
from bench.report.figures.training import draw_training, measured, training_log
from bench.report.short_names import display
from bench.report.view import View
from bench.results.result_set import Results
from bench.statistics.names import listed
from bench.statistics.recipe_effects import ACCURACY, compares_recipes, recipe_table

MOST_EFFECTS = 8
GALLERY = 3


@dataclass(frozen=True)
class Drawing:
    """A figure by name: its section on the page, a title, a caption, what it shows in words, and how it is drawn."""

    name: str
    section: str
    title: str
    caption: str
    said: str
    draw: Callable[[float], Figure]


def drawings(results: Results, view: View) -> Iterator[Drawing]:
    """Every figure that the results have something for."""
    lines = [line for line in view.methods if np.isfinite(line.place)]
    if view.kind != "recipes" and lines:
        scale = SCALES[view.placed]
        said = "; ".join(f"{line.name} {line.place:.2f}" for line in [*lines, *view.controls])
        over = f"over the metrics that count, with 95% intervals over {view.verdict.over}"
        caption = f"{scale[:1].upper()}{scale[1:]}, {over}. "
        caption += "Methods in one bracket cannot be told apart (paired tests, Holm); dotted lines are controls."
        yield Drawing("place", "answer", "Place of each method", caption, said, partial(draw_places, view))
        if len(view.networks) > 1:
            names = listed(list(view.networks))
            yield Drawing(
                "networks", "networks", "Network by network", "", f"Places on {names}.", partial(draw_networks, view)
            )
        if len(lines) > 1 and len(ranked(view)[1]) > 1:
            yield Drawing("ranks", "order", "Ranks by metric", "", _ranks_said(view), partial(draw_ranks, view))
    if compares_recipes(results):
        yield from _of_recipes(results, view)
    for metric, curves in curves_of(results, view):
        label = str(view.board.metrics.metric[metric])
        name = str(view.board.metrics.shown[metric])
        axis = axis_names(view.board.metrics.settings[metric], next(iter(curves.values())), label)
        said = f"Mean curves of {name}: {axis[1]} over {axis[0]}."
        draw = partial(draw_curves, view, metric, curves, axis)
        yield Drawing(f"curve_{file_name(label)}", "curves", name, "", said, draw)
    for place, column in enumerate(view.columns):
        if column.family == "cost" and view.kind != "recipes":
            yield from _of_cost(view, place)
    log = training_log(results)
    if len(log) and log.epoch.max() > 0:
        said = f"While the networks were trained: {listed(measured(log))}."
        yield Drawing("training", "training", "Training", said, said, partial(draw_training, log))
    images = gallery_images(results)
    if images:
        draw = partial(draw_gallery, view, results.heatmaps, images)
        yield Drawing("gallery", "", "Heatmaps", "", "Sample heatmaps.", draw)


def gallery_images(results: Results) -> list[str]:
    """The first images of which heatmaps are stored."""
    shown = results.heatmaps[results.heatmaps.kind.eq("heatmap")]
    return [str(image) for image in shown.image.unique()[:GALLERY]]


def _ranks_said(view: View) -> str:
    lines, columns, ranks = ranked(view)
    firsts = [lines[int(np.nanargmin(ranks[:, place]))].name for place in range(1, ranks.shape[1])]
    told = [f"{column.name}: {name}" for column, name in zip(columns, firsts, strict=True)]
    return f"First under {'; '.join(told)}."


def _of_cost(view: View, place: int) -> Iterator[Drawing]:
    column = view.columns[place]
    lines, price, gain = priced(view, column.metrics[0])
    if len(lines) < 2 or np.ptp(price) == 0:
        return
    best = [line.name for line, on in zip(lines, front(price, gain), strict=True) if on]
    device = view.board.manifest.get("device", "an unknown device")
    caption = f"{column.name} on {device}; the line joins the methods that none beats in both: {listed(best, 9)}."
    said = column.name.lower()
    draw = partial(draw_cost, view, column.metrics[0], f"{said} for each image")
    yield Drawing(f"cost_{file_name(column.code)}", "cost", f"Quality against {said}", caption, caption, draw)


def _of_recipes(results: Results, view: View) -> Iterator[Drawing]:
    """Effects under each metric and on accuracy, network by network, and effect against accuracy."""
    table = recipe_table(results)
    metrics = view.board.manifest["metrics"]
    for network, own in table.groupby("network", sort=False):
        if own.recipe.nunique() < 2:
            continue
        first = own.attribution[own.attribution.ne("")].iloc[0] if own.attribution.ne("").any() else ""
        own = own[own.attribution.isin(["", first])]
        several = f" on {network}" if table.network.nunique() > 1 else ""
        for label in own.metric.unique()[:MOST_EFFECTS]:
            rows = own[own.metric.eq(label)]
            if not np.isfinite(rows.difference[rows.recipe.ne(rows.control)]).any():
                continue
            title = _titled(label, metrics)
            said = f"{title}{several}: " + "; ".join(
                f"{display(str(recipe).partition('(')[0], str(recipe))} {difference:+.3g}"
                for recipe, difference in zip(rows.recipe, rows.difference, strict=True)
            )
            name = f"effect_{file_name(str(network))}_{file_name(label)}"
            yield Drawing(name, "effects", f"{title}{several}", "", said, partial(draw_effects, rows, title))
        measures = [label for label in own.metric.unique() if label not in ACCURACY.values()]
        for label in measures[:MOST_EFFECTS]:
            title = _titled(label, metrics)
            said = f"Effect on {title}{several} against the change in accuracy."
            draw = partial(draw_price, own, label, title)
            name = f"price_{file_name(str(network))}_{file_name(label)}"
            yield Drawing(name, "price", f"{title}{several}", "", said, draw)


def _titled(label: str, metrics: dict[str, dict[str, object]]) -> str:
    if label not in metrics:
        return label[:1].upper() + label[1:]
    arrow = {"higher": "higher is better", "lower": "lower is better"}[str(metrics[label]["direction"])]
    return f"{display(str(metrics[label]['name']), label)} ({arrow})"
