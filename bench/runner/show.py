"""One image's heatmaps side by side."""

import io
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from torch import Tensor

from bench.api import Explained, Request, Sample
from bench.checks.network_promises import look_before
from bench.data.batches import batch_of, load
from bench.data.transforms import read_image
from bench.errors import HeatmarkError
from bench.files import write_whole
from bench.functional.heatmaps import for_display
from bench.functional.outputs import target_outputs
from bench.runner.explain import Explainer
from bench.runner.networks import NetworkLoader
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import displayed

COLUMNS = 6


def draw(run: Run, image: str, network: str | None, out: Path) -> str:
    """Write a picture of the image and its heatmap by each attribution of the suite; what is explained, in words.

    `image` is a file or an image id of the suite's data set; `network` a name of the suite, None for its first.
    HeatmarkError for a file where the network knows only images that are made. What can be refused is before the
    network is loaded, which may take its training.
    """
    number = run.suite.number_of(network)
    _check_suffix(out)
    found = _found(run, image)
    known = not (isinstance(found, Sample) and run.dataset.made)
    table = run.table.networks[number]
    if not known and table.training is not None and table.weights is None:
        raise _unknown(run, number, image)
    trained = NetworkLoader.of(run.suite, number, run.store.networks, run.device, run.progress).load()[0]
    if not known and not trained.categories:
        raise _unknown(run, number, image)
    if isinstance(found, Sample):
        batch = batch_of([found], trained.network, run.device)
    else:
        split, position = found
        batch = load(run.dataset, split, [position], trained.network, run.device)
    look_before(trained.network, batch.images, run.suite.attributions)
    explainer = Explainer(run, trained)
    request, clean = explainer.request_for(batch)
    explained = explainer.explanations(request, clean, batch, run.suite.attributions)
    failures = [reason for reason in explained.values() if isinstance(reason, str)]
    if len(failures) == len(explained):
        raise HeatmarkError(failures[0])
    what = _explained(run, trained, request, clean)
    panels: list[tuple[str, Tensor | str]] = [(what, displayed(trained.network, batch.images)[0])]
    panels += [("truth", batch.truth[0])] if batch.truth is not None else []
    panels += [
        (method.label, own.heatmaps[0] if isinstance(own, Explained) else own) for method, own in explained.items()
    ]
    write_whole(out, _picture(panels, out.suffix.removeprefix(".") or "png"))
    return f"{trained.network.name} sees {what}"


def _explained(run: Run, trained: Trained, request: Request, clean: Tensor) -> str:
    """The target of the request by name, and its probability; the value where the network returns a number."""
    network, output = trained.network, int(request.targets[0])
    value = float(target_outputs(clean, request.targets)[0])
    if network.output == "number":
        return f"{value:.3g}"
    probability = float(target_outputs(clean, request.targets, "probability", network.output)[0])
    return f"{_class(run, trained, output)}, {probability:.0%}"


def _class(run: Run, trained: Trained, output: int) -> str:
    """What an output is called by the weights' library, or by the data set; else its number."""
    if trained.categories:
        return trained.categories[output]
    labels = trained.network.label_map or range(len(run.dataset.classes) if run.dataset.labelled else 0)
    names = {own: run.dataset.classes[label] for label, own in enumerate(labels)}
    return names.get(output, f"output {output}")


def _check_suffix(out: Path) -> None:
    """HeatmarkError where a picture of this kind cannot be drawn."""
    kinds = sorted(FigureCanvasBase.get_supported_filetypes())
    if out.suffix.removeprefix(".") not in ("", *kinds):
        raise HeatmarkError(f"--out {out}: expected a file that ends in one of {', '.join(f'.{own}' for own in kinds)}")


def _found(run: Run, image: str) -> Sample | tuple[str, int]:
    """The photograph in a file, or the split and position of an image id; HeatmarkError where it is neither."""
    for split in run.dataset.present:
        ids = run.dataset.ids(split)
        if image in ids:
            return split, ids.index(image)
    if not Path(image).is_file():
        raise HeatmarkError(f"{image} is neither an image file nor an image id of {run.dataset.name}")
    return Sample(Path(image).stem, read_image(Path(image)), 0)


def _unknown(run: Run, number: int, image: str) -> HeatmarkError:
    return HeatmarkError(
        f"{run.table.networks[number].label} knows the images of {run.dataset.name}, not photographs such as {image}; "
        "expected `--network resnet50` or another by name, or `--suite photographs`"
    )


def _picture(panels: Sequence[tuple[str, Tensor | str]], suffix: str) -> bytes:
    columns = min(len(panels), COLUMNS)
    rows = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(2.4 * columns, 2.8 * rows), layout="constrained")
    places = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for axes in places:
        axes.set_axis_off()
    first = panels[0][1]
    for axes, (title, panel) in zip(places[: len(panels)], panels, strict=True):
        axes.set_title(textwrap.fill(title, 30), fontsize=9)
        _draw(axes, panel, first if isinstance(first, Tensor) else None)
    file = io.BytesIO()
    figure.savefig(file, format=suffix, dpi=150)
    return file.getvalue()


def _draw(axes: Axes, panel: Tensor | str, image: Tensor | None) -> None:
    """A picture (channel, height, width), a heatmap (height, width) over the picture in grey, or why there is none.

    A heatmap that goes below zero is drawn red above and blue below it, its strongest 1% clipped. The picture shows
    through where it is weak.
    """
    if isinstance(panel, str):
        reason = textwrap.fill(panel, 28, break_long_words=True)
        axes.text(0.5, 0.5, reason, ha="center", va="center", fontsize=8, transform=axes.transAxes)
    elif panel.ndim == 3:
        axes.imshow(panel.permute(1, 2, 0).cpu().numpy())
    else:
        signed = bool(panel.min() < 0)
        top = float(panel.abs().flatten().double().quantile(0.99)) or 1.0
        shown = (panel / top).clamp(-1, 1) if signed else for_display(panel[None])[0]
        over = image is not None and image.shape[1:] == panel.shape
        if image is not None and over:
            axes.imshow(image.mean(0).cpu().numpy(), cmap="gray", vmin=0, vmax=1)
        strength = (2 * shown.abs()).clamp(0, 1).cpu().numpy() if over else None
        colours, least = ("RdBu_r", -1) if signed else ("magma", 0)
        axes.imshow(shown.cpu().numpy(), cmap=colours, vmin=least, vmax=1, alpha=strength)
