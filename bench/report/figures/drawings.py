"""Every figure of a board, by name: what it shows in words, and how it is drawn at a width."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bench.report.figures.cost import draw_cost, front, priced
from bench.report.figures.curves import axis_names, curves_of, draw_curves
from bench.report.figures.effects import draw_effects, draw_own, draw_price, strongest
from bench.report.figures.place import SCALES, draw_networks, draw_places
from bench.report.figures.ranks import draw_ranks, ranked
from bench.report.figures.samples import draw_gallery
from bench.report.figures.style import file_name
from bench.report.figures.training import draw_training, measured, training_log
from bench.report.view import View
from bench.report.words import order_said
from bench.results.result_set import Results
from bench.statistics.finding import TOLD, most_telling, trained_on
from bench.statistics.names import display_names, listed
from bench.statistics.recipe_effects import ACCURACY, compares_recipes, recipe_table

MOST_EFFECTS = 8
GALLERY = 3
_FEW = 6  # metrics that are named
_CONTROLS = "Dotted lines are controls."


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
        counted = view.board.metrics.shown[view.board.weights > 0]
        what = listed(list(counted)) if len(counted) <= _FEW else f"{len(counted)} metrics"
        over = f"over what counts ({what}), with 95% intervals over {view.verdict.over}"
        caption = f"{scale[:1].upper()}{scale[1:]}, {over}. "
        alike = "cannot be told apart (paired tests, Holm)"
        if view.board.level == "networks":
            alike = "could change places on other networks (paired tests over images and networks, Holm)"
        letters = [letter for line in lines for letter in line.group.split()]
        bracketed = len(set(letters)) < len(letters)
        caption += f"Methods in one bracket {alike}; dotted lines are controls." if bracketed else _CONTROLS
        caption = f"{caption} {order_said(view)}".rstrip()
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
        protocol = str(view.board.metrics.protocol[metric]).partition(",")[0]
        axis = axis_names(view.board.metrics.settings[metric], protocol, next(iter(curves.values())), label)
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


def effect_name(network: str, label: str) -> str:
    """The name of the figure of a metric's effects on a network."""
    return f"effect_{file_name(network)}_{file_name(label)}"


def _of_recipes(results: Results, view: View) -> Iterator[Drawing]:
    """Effects under each metric and on accuracy, network by network, and effect against accuracy."""
    table, telling = recipe_table(results), most_telling(view.verdict.effects) if view.verdict.effects else None
    for network, own in table.groupby("network", sort=False):
        if len(set(own.recipe)) < 2:
            continue
        first = own.attribution[own.attribution.ne("")].iloc[0] if own.attribution.ne("").any() else ""
        own = own[own.attribution.isin(["", first])]
        several = f", {network}" if len(set(table.network)) > 1 else ""
        yield from _of_network(view, own, several, telling.code if telling and telling.network == network else "")


def _of_network(view: View, own: pd.DataFrame, several: str, telling: str) -> Iterator[Drawing]:
    """The effects on one network, and what they cost.

    Of many metrics the first, the one that tells most among them; of many recipes those that change it most surely, or
    what they train on.
    """
    names = {str(name): str(name) for name in own.recipe} | display_names(view.board.manifest, "recipes")
    network = str(own.network.iloc[0])
    of_own = trained_on(view.board) if view.kind == "recipes" else own.head(0)
    of_own = of_own[of_own.network.eq(network)]
    by_own = len(of_own) > 1
    kept = strongest(of_own if by_own else own[own.metric.eq(telling or own.metric.iloc[0])]).recipe
    own = own[own.recipe.isin([*own.control.unique(), *kept])]
    if by_own:
        title = f"What each recipe trains on{several}"
        draw = partial(draw_own, of_own[of_own.recipe.isin(kept)], names)
        yield Drawing(f"own_{file_name(network)}", "effects", title, "", _said(title, of_own, names), draw)
    for label in _shown(own.metric, telling):
        rows = own[own.metric.eq(label)]
        if np.isfinite(rows.difference[rows.recipe.ne(rows.control)]).any():
            title = _titled(label, view.board.manifest["metrics"])
            draw = partial(draw_effects, rows, names, title, told=_told(view, rows))
            said = _said(f"{title}{several}", rows, names)
            yield Drawing(effect_name(network, label), "effects", f"{title}{several}", "", said, draw)
    for label in _shown(own.metric[~own.metric.isin(list(ACCURACY.values()))], telling):
        title = _titled(label, view.board.manifest["metrics"])
        said = f"Effect on {title}{several} against the change in accuracy."
        name = f"price_{file_name(network)}_{file_name(label)}"
        yield Drawing(name, "price", f"{title}{several}", "", said, partial(draw_price, own, names, label, title))


def _told(view: View, rows: pd.DataFrame) -> frozenset[str]:
    """The recipes whose effect, of those in these rows, is significant; none of accuracies, which are not tested."""
    network, label = rows.network.iloc[0], rows.metric.iloc[0]
    attributions = display_names(view.board.manifest, "attributions")
    method = attributions.get(str(rows.attribution.iloc[0]))
    own = [one for one in view.verdict.effects if (one.network, one.code, one.attribution) == (network, label, method)]
    return frozenset(one.recipe_code for one in own if one.judgement in TOLD)


def _shown(labels: "pd.Series[str]", telling: str) -> list[str]:
    known = list(labels.unique())
    kept = known[:MOST_EFFECTS]
    return kept if telling in kept or telling not in known else [*kept[:-1], telling]


def _said(title: str, rows: pd.DataFrame, names: Mapping[str, str]) -> str:
    told = zip(rows.recipe, rows.difference, strict=True)
    return f"{title}: " + "; ".join(f"{names[str(recipe)]} {difference:+.3g}" for recipe, difference in told)


def _titled(label: str, metrics: dict[str, dict[str, object]]) -> str:
    if label not in metrics:
        return label[:1].upper() + label[1:]
    arrow = {"higher": "higher is better", "lower": "lower is better"}[str(metrics[label]["direction"])]
    arrow = f" ({arrow})" if not metrics[label].get("is_property") else ""
    return f"{display_names({'metrics': {label: metrics[label]}}, 'metrics')[label]}{arrow}"
