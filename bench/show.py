"""One image's heatmaps side by side."""

import io
from collections.abc import Sequence
from pathlib import Path

import torch
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
        (method.label, for_display(own.heatmaps)[0] if isinstance(own, Explained) else own)
        for method, own in explained.items()
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
    figure = Figure(figsize=(2.4 * len(panels), 2.8), layout="constrained")
    for axes, (title, panel) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        axes.set_title(title, fontsize=9)
        axes.set_axis_off()
        if isinstance(panel, str):
            axes.text(0.5, 0.5, panel, ha="center", va="center", wrap=True, fontsize=8, transform=axes.transAxes)
        elif panel.ndim == 3:
            axes.imshow(panel.permute(1, 2, 0).cpu().numpy())
        else:
            axes.imshow(panel.cpu().numpy(), cmap="magma")
    file = io.BytesIO()
    try:
        figure.savefig(file, format=suffix, dpi=150)
    except ValueError as error:
        raise HeatmarkError(f"--out: {error}") from error
    return file.getvalue()
