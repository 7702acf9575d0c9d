"""All sample heatmaps of a result set on one sheet."""

import io

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from bench.report.style import TEXT, figures

MOST_COLUMNS = 8
_SIDE = 1.1  # inches


def sheet(heatmaps: pd.DataFrame) -> bytes | None:
    """A PNG of every method (rows) on the sample images of each network (columns); None without samples.

    Of a network's recipes and seeds the first is shown, and the first images where columns run out.
    """
    shown = heatmaps.astype({"kind": str, "attribution": str, "image": str, "network": str, "recipe": str})
    first = shown.drop_duplicates("network").set_index("network")[["recipe", "seed"]]
    own = [shown[column].eq(shown.network.map(first[column])) for column in ("recipe", "seed")]
    shown = shown[own[0] & own[1]]
    if shown.empty:
        return None
    names = shown.attribution.where(shown.kind.eq("heatmap"), shown.kind)
    pictures = dict(zip(zip(names, shown.network, shown.image, strict=True), shown.png.tolist(), strict=True))
    rows = sorted(names.unique(), key=lambda name: (name != "image", name != "truth"))
    each = max(1, MOST_COLUMNS // len(first))
    columns = [key for network in first.index for key in _samples(shown, str(network))[:each]]
    with figures():
        return _drawn(pictures, rows, columns[:MOST_COLUMNS])


def _samples(shown: pd.DataFrame, network: str) -> list[tuple[str, str]]:
    return [(network, str(image)) for image in shown.image[shown.network.eq(network)].unique()]


def _drawn(pictures: dict[tuple[str, str, str], bytes], rows: list[str], columns: list[tuple[str, str]]) -> bytes:
    figure = Figure(figsize=(2.3 + _SIDE * len(columns), 0.3 + _SIDE * len(rows)), facecolor="white")
    places = figure.subplots(len(rows), len(columns), squeeze=False)
    for row, line in zip(rows, places, strict=True):
        line[0].set_ylabel(row, rotation=0, ha="right", va="center", fontsize=8)
        for (network, image), axes in zip(columns, line, strict=True):
            axes.set(xticks=[], yticks=[])
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            if (picture := pictures.get((row, network, image))) is not None:
                with Image.open(io.BytesIO(picture)) as opened:
                    axes.imshow(opened, cmap="inferno", vmin=0, vmax=255)
    for (network, _), axes in zip(columns, places[0], strict=True):
        axes.set_title(network, fontsize=8, color=TEXT)
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100, transparent=False)
    small = io.BytesIO()
    # A palette: a third of the bytes, in a folder of many boards.
    Image.open(file).convert("RGB").quantize(128, Image.Quantize.MEDIANCUT).save(small, "PNG", optimize=True)
    return small.getvalue()
