"""One image's heatmaps side by side."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bench.api import Explained, Sample
from bench.checks.network_promises import look_at
from bench.data.batches import Batch, batch_of, load
from bench.data.transforms import read_image
from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.functional.heatmaps import for_display
from bench.runner.explain import Explainer
from bench.runner.networks import NetworkLoader, number_of
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import displayed

COLUMNS = 6


def draw(run: Run, image: str, network: str | None, out: Path) -> None:
    """Write a picture of the image and its heatmap by each attribution of the suite.

    `image` is a file or an image id of the suite's data set; `network` a name of the suite, None for its first.
    """
    number = number_of(run.suite, network)
    trained = NetworkLoader(run.suite, number, run.store.networks, run.device, run.progress).load()[0]
    batch = _batch(run, trained, image)
    look_at(trained.network, batch.images, needs_gradient=any(own.needs_gradient for own in run.suite.attributions))
    explainer = Explainer(run, trained)
    explained = explainer.explanations(*explainer.request_for(batch), batch, run.suite.attributions)
    failures = [reason for reason in explained.values() if isinstance(reason, str)]
    if len(failures) == len(explained):
        raise HeatmarkError(failures[0])
    panels: list[tuple[str, Tensor | str]] = [("image", displayed(trained.network, batch.images)[0])]
    panels += [("truth", batch.truth[0])] if batch.truth is not None else []
    panels += [
        (method.label, own.heatmaps[0] if isinstance(own, Explained) else own) for method, own in explained.items()
    ]
    write_whole(out, _picture(panels, out.suffix.removeprefix(".") or "png"))


def _batch(run: Run, trained: Trained, image: str) -> Batch:
    for split in run.dataset.present:
        ids = run.dataset.ids(split)
        if image in ids:
            return load(run.dataset, split, [ids.index(image)], trained.network, run.device)
    if not Path(image).is_file():
        raise HeatmarkError(f"{image} is neither an image file nor an image id of {run.dataset.name}")
    return batch_of([Sample(Path(image).stem, read_image(Path(image)), 0)], trained.network, run.device)


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
