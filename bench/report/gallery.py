"""Stored sample heatmaps inside a page: pictures, outlines of the truth, rank maps and curves of the same images."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage

from bench.report.figures.samples import coloured, lines_with_maps
from bench.report.view import Line, View
from bench.results.result_set import Results
from bench.statistics.means import Array

MOST_BYTES = 2_000_000
MOST_ROWS = 8
SCRUBBED = "deletion"
Key = tuple[str, str, str, str]


def gallery(results: Results, view: View) -> dict[str, Any]:
    """What the page's gallery shows: `lines` (its columns) and `rows`, an image on a network each.

    A row has its `id`, `network`, `why` it was chosen, `image`, `outline` of the truth, and for each line its `maps`,
    `ranks` (None where not stored), `curves` under deletion and `scores` by metric.
    """
    heatmaps = results.heatmaps.astype(dict.fromkeys(("network", "recipe", "attribution", "image", "kind"), str))
    if not heatmaps.kind.eq("heatmap").any():
        return {"lines": [], "rows": []}
    lines = lines_with_maps(view, heatmaps)
    curves = _curves(results, set(heatmaps.image))
    rows: list[dict[str, Any]] = []
    size = 0
    for why, network, recipe, block, image in _chosen(heatmaps, view):
        row = _row(heatmaps[heatmaps.image.eq(image)], view, lines, (network, recipe, block, image))
        if row is None:
            continue
        keys = [_key(view, line, network, recipe, image) for line in lines]
        row |= {"why": why, "curves": [curves.get(key) for key in keys]}
        size += sum(len(text) for text in (row["image"], row["outline"], *row["maps"], *row["ranks"]) if text)
        if (size > MOST_BYTES and rows) or len(rows) == MOST_ROWS:
            break
        rows.append(row)
    return {"lines": [{"name": line.name, "code": line.code, "control": line.control} for line in lines], "rows": rows}


def overlays(data: dict[str, Any], view: View) -> list[tuple[str, str, str | None]]:
    """Four maps of one image of a gallery: the best method, the second, a control, the truth.

    Names, maps, and the image below them.
    """
    if not data["rows"]:
        return []
    row, lines = data["rows"][0], data["lines"]
    known = [place for place, text in enumerate(row["maps"]) if text]
    methods = [place for place in known if not lines[place]["control"]][:2]
    codes = {line.code: line.kind for line in view.lines}
    controls = [place for place in known if lines[place]["control"]]
    blind = [place for place in controls if codes[lines[place]["code"]] != "truth"]
    other = sorted(blind, key=lambda place: codes[lines[place]["code"]] != "random")[:1]
    shown = [(lines[place]["name"], row["maps"][place], row["image"]) for place in (*methods, *other)]
    if row["outline"] and row["image"]:
        shown.append(("Truth", row["outline"], row["image"]))
    return shown


def _key(view: View, line: Line, network: str, recipe: str, image: str) -> Key:
    entry = view.board.entries.loc[line.entry]
    return str(entry.network) or network, str(entry.recipe) or recipe, str(entry.attribution), image


def _chosen(heatmaps: pd.DataFrame, view: View) -> Iterator[tuple[str, str, str, int, str]]:
    """Images with maps: where methods disagree most, then the best and worst seen, in turn, network by network."""
    runs = heatmaps[["network", "recipe"]].drop_duplicates()
    runs = runs if view.board.blocks else runs.head(1)
    position = {image: place for place, image in enumerate(view.board.images)}
    found: list[tuple[str, str, str, int, str]] = []
    for block, (network, recipe) in enumerate(runs.itertuples(index=False, name=None)):
        own = heatmaps[heatmaps.network.eq(network) & heatmaps.kind.eq("heatmap")]
        images = [image for image in own.image.unique() if image in position]
        scores = _scores(view, block)[:, [position[image] for image in images]]
        spread, middle = _spread(scores)
        orders = {
            "methods disagree most": np.argsort(-spread),
            "methods do best": np.argsort(-middle),
            "methods do worst": np.argsort(middle),
        }
        seen: dict[str, str] = {}
        for place in range(len(images)):
            for why, order in orders.items():
                seen.setdefault(images[int(order[place])], why if place == 0 else "")
        found += [(why, network, recipe, block, image) for image, why in seen.items()]
    yield from sorted(found, key=lambda one: one[0] == "")


def _scores(view: View, block: int) -> Array:
    """Shares won over the metrics that count, (method, image), on one network where there are several."""
    own = view.board.overall_scores[view.board.methods]
    picked = own[:, min(block, own.shape[1] - 1)] if view.board.blocks else own[:, 0]
    return np.asarray(np.nan_to_num(picked, nan=0.5)) if len(picked) else np.full((1, len(view.board.images)), 0.5)


def _spread(scores: Array) -> tuple[Array, Array]:
    return scores.max(0) - scores.min(0), scores.mean(0)


def _row(own: pd.DataFrame, view: View, lines: list[Line], at: tuple[str, str, int, str]) -> dict[str, Any] | None:
    network, recipe, block, image = at
    stored: dict[tuple[str, ...], tuple[bytes, float]] = {
        (row["network"], row["recipe"], row["attribution"], row["kind"]): (row["png"], float(row["zero"]))
        for row in own.sort_values("seed", ascending=False).to_dict("records")
    }
    maps: list[str | None] = []
    ranks: list[str | None] = []
    for line in lines:
        key = _key(view, line, network, recipe, image)[:3]
        drawn, order = stored.get((*key, "heatmap")), stored.get((*key, "ranks"))
        maps.append(None if drawn is None else _address(coloured(*drawn)))
        ranks.append(None if order is None else _encoded(order[0]))
    if not any(maps):
        return None
    picture, truth = stored.get((network, recipe, "", "image")), stored.get((network, recipe, "", "truth"))
    place = list(view.board.images).index(image)
    scores = view.board.scores[[line.entry for line in lines]]
    scores = scores[:, :, block, place] if view.board.blocks else scores[:, :, 0, place]
    return {
        "id": image,
        "network": network if view.board.blocks else "",
        "image": picture and _encoded(picture[0]),
        "outline": truth and _address(outline(truth[0])),
        "maps": maps,
        "ranks": ranks,
        "scores": [[float(f"{value:.3g}") if np.isfinite(value) else None for value in own] for own in scores],
    }


def outline(png: bytes) -> Image.Image:
    """The edge of what a truth map marks, yellow on nothing, with a dark rim so that it shows on any image."""
    mask = np.asarray(Image.open(io.BytesIO(png)).convert("L")) > 127
    thick = max(1, mask.shape[0] // 100)
    edge = ndimage.binary_dilation(mask, iterations=thick) & ~ndimage.binary_erosion(mask, iterations=thick)
    rim = ndimage.binary_dilation(edge, iterations=thick) & ~edge
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[rim], pixels[edge] = (0, 0, 0, 150), (255, 225, 60, 255)
    return Image.fromarray(pixels)


def _curves(results: Results, images: set[str]) -> dict[Key, list[float]]:
    """Deletion curves of these images by network, recipe, attribution and image: those of the first protocol."""
    metrics = [metric for metric in results.curves.metric.unique() if str(metric).partition("(")[0] == SCRUBBED]
    if not metrics:
        return {}
    own = results.curves[results.curves.metric.eq(metrics[0]) & results.curves.image.isin(images)]
    found: dict[Key, list[float]] = {}
    keys = own[["network", "recipe", "attribution", "image"]].astype(str).itertuples(index=False, name=None)
    for key, curve in zip(keys, own.curve.tolist(), strict=True):
        found.setdefault(key, [round(float(point), 3) for point in curve])
    return found


def _address(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return _encoded(file.getvalue())


def _encoded(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
