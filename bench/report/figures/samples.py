"""Stored heatmaps as figures: a gallery for papers, a picture for previews, and maps in colours with a zero."""

import io

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from bench.report.figures.style import COLUMN, TEXT
from bench.report.short_names import shortened
from bench.report.view import Line, View

Pixels = NDArray[np.uint8]
_LEVELS = np.arange(256)
SEQUENTIAL, DIVERGING = "inferno", "RdBu_r"


def coloured(png: bytes, zero: float) -> Image.Image:
    """A stored map in colours: dark to bright, or blue, white and red about its `zero` (a level; NaN for none)."""
    picture = Image.open(io.BytesIO(png)).convert("L")
    if np.isfinite(zero):
        shown = mpl.colormaps[DIVERGING](0.5 + 0.5 * (_LEVELS - zero) / max(zero, 255 - zero))
    else:
        shown = mpl.colormaps[SEQUENTIAL](_LEVELS)
    picture.putpalette((shown[:, :3] * 255).round().astype(np.uint8).tobytes())
    return picture


def lines_with_maps(view: View, heatmaps: pd.DataFrame) -> list[Line]:
    """Methods, best first, then truth and controls, of which maps are stored."""
    drawn = set(heatmaps.attribution[heatmaps.kind.eq("heatmap")].astype(str))
    return [line for line in view.lines if line.code.rpartition(" / ")[2] in drawn or line.code in drawn]


def draw_gallery(view: View, heatmaps: pd.DataFrame, images: list[str], width: float) -> Figure:
    """A row for each image, a column for the image and each method; as many as the width holds."""
    most = (4 if width == COLUMN else 8) - 1
    lines = lines_with_maps(view, heatmaps)
    kept = [*[line for line in lines if not line.control][: most - 1], *[line for line in lines if line.control]][:most]
    shown = heatmaps.astype({"image": str, "kind": str, "attribution": str})
    side = width / (len(kept) + 1)
    figure = Figure(figsize=(width, 0.3 + side * len(images)))
    grid = figure.subplots(len(images), len(kept) + 1, squeeze=False)
    names = shortened(["image", *(line.name for line in kept)], 14)
    for row, image in enumerate(images):
        own = shown[shown.image.eq(image)]
        for place, axes in enumerate(grid[row]):
            maps = own[own.kind.eq("image")] if place == 0 else own[own.attribution.eq(kept[place - 1].code)]
            if len(maps):
                first = maps.iloc[0]
                whole = Image.open(io.BytesIO(first.png)) if place == 0 else coloured(first.png, first.zero)
                axes.imshow(np.asarray(whole.convert("RGB")))
            _bare(axes)
    for axes, name in zip(grid[0], names, strict=True):
        axes.set_title(name, size=8, color=TEXT)
    return figure


def _bare(axes: Axes) -> None:
    axes.set(xticks=[], yticks=[])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
