"""One image's heatmaps side by side."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bench.cells import Trained, Work
from bench.data import Batch, batch_of, load
from bench.errors import HeatmarkError
from bench.gallery import displayed
from bench.handed import Explained, Sample
from bench.heatmaps import for_display
from bench.images import read_image
from bench.progress import Progress
from bench.run import references
from bench.scoring import asked, explanations
from bench.store import write_whole
from bench.suite import Suite
from bench.zoo import networks_of, number_of

COLUMNS = 6


def draw(
    suite: Suite, image: str, network: str | None, kept: Path, device: torch.device, progress: Progress, out: Path
) -> None:
    """Write a picture of the image and its heatmap by each attribution of the suite.

    `image` is a file or an image id of the suite's data set; `network` a name of the suite, None for its first.
    """
    trained = networks_of(suite, number_of(suite, network), kept, device, progress)[0]
    work = Work(suite, suite.table.dataset.split or suite.dataset.splits[-1], device)
    batch = _batch(work, trained, image)
    pool = references(work, trained)
    request, clean = asked(work, trained, pool, batch)
    explained = explanations(trained, request, clean, batch, pool, suite.attributions)
    failures = [reason for reason in explained.values() if isinstance(reason, str)]
    if len(failures) == len(explained):
        raise HeatmarkError(failures[0])
    panels: list[tuple[str, Tensor | str]] = [("image", displayed(trained.network, batch.images)[0])]
    panels += [("truth", batch.truth[0])] if batch.truth is not None else []
    panels += [
        (method.label, own.heatmaps[0] if isinstance(own, Explained) else own) for method, own in explained.items()
    ]
    write_whole(out, _picture(panels, out.suffix.removeprefix(".") or "png"))


def _batch(work: Work, trained: Trained, image: str) -> Batch:
    for split in work.dataset.present:
        ids = work.dataset.ids(split)
        if image in ids:
            return load(work.dataset, split, [ids.index(image)], trained.network, work.device)
    if not Path(image).is_file():
        raise HeatmarkError(f"{image} is neither an image file nor an image id of {work.dataset.name}")
    return batch_of([Sample(Path(image).stem, read_image(Path(image)), 0)], trained.network, work.device)


def _picture(panels: Sequence[tuple[str, Tensor | str]], suffix: str) -> bytes:
    columns = min(len(panels), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(2.4 * columns, 2.8 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in places:
        axes.set_axis_off()
    for axes, (title, panel) in zip(places[: len(panels)], panels, strict=True):
        axes.set_title(textwrap.fill(title, 30), fontsize=9)
        _draw(axes, panel)
    file = io.BytesIO()
    try:
        figure.savefig(file, format=suffix, dpi=150)
    except ValueError as error:
        raise HeatmarkError(f"--out: {error}") from error
    return file.getvalue()


def _draw(axes: Axes, panel: Tensor | str) -> None:
    """A picture (channel, height, width), a heatmap (height, width), or why there is none.

    A heatmap that goes below zero is drawn red above and blue below it, its strongest 1% clipped.
    """
    if isinstance(panel, str):
        reason = textwrap.fill(panel, 28, break_long_words=True)
        axes.text(0.5, 0.5, reason, ha="center", va="center", fontsize=8, transform=axes.transAxes)
    elif panel.ndim == 3:
        axes.imshow(panel.permute(1, 2, 0).cpu().numpy())
    elif panel.min() < 0:
        top = float(panel.abs().flatten().double().quantile(0.99))
        axes.imshow(panel.cpu().numpy(), cmap="RdBu_r", vmin=-top, vmax=top)
    else:
        axes.imshow(for_display(panel[None])[0].cpu().numpy(), cmap="magma")
