"""A few images with their truth and heatmaps as pictures, for the reader's own eyes."""

import io
from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from bench.api import Attribution, Explained, Network
from bench.api.network import to_pixels
from bench.data.batches import Batch, evenly_spaced, load
from bench.files import key_of
from bench.functional.heatmaps import for_display, ranks
from bench.results.pictures import PICTURES
from bench.runner.explain import Explainer
from bench.runner.identity import identity
from bench.runner.records import Run, Trained


def pictures(trained: Trained, batch: Batch, explained: Mapping[Attribution, Explained | str]) -> pd.DataFrame:
    """Rows of 8-bit pictures: each image, its truth where there is one, each method's finite heatmaps and rank maps.

    `zero` is the level of a signed heatmap's zero, NaN for others; a rank map is dark where the heatmap is highest.
    """
    images = displayed(trained.network, batch.images)
    rows: list[tuple[str, str, str, bytes, float]] = []
    for row, image_id in enumerate(batch.ids):
        rows.append((image_id, "image", "", png(images[row]), nan))
        if batch.truth is not None:
            rows.append((image_id, "truth", "", png(batch.truth[row][None]), nan))
    for method, own in explained.items():
        if isinstance(own, Explained):
            for row, image_id in enumerate(batch.ids):
                heatmap = own.heatmaps[row][None]
                if heatmap.isfinite().all():
                    shown, zero = signed(heatmap) if heatmap.min() < 0 else (for_display(heatmap), nan)
                    rows.append((image_id, "heatmap", method.label, png(shown), zero))
                    rows.append((image_id, "ranks", method.label, png(removal_order(heatmap)), nan))
    return pd.DataFrame(rows, columns=PICTURES.names)


def signed(heatmap: Tensor) -> tuple[Tensor, float]:
    """A heatmap (1, height, width) in [0, 1] with its zero in the middle, and the 8-bit level of the zero.

    Clipped at the 99th percentile of its size, alike on both sides.
    """
    top = float(heatmap.abs().flatten().double().quantile(0.99)) or float(heatmap.abs().max())
    return 0.5 + 0.5 * (heatmap / top).clamp(-1, 1), 127.5


def removal_order(heatmap: Tensor) -> Tensor:
    """When deletion takes each pixel of a heatmap (1, height, width), in [0, 1]: the highest first, at 0."""
    order = ranks(heatmap).to(torch.float64)
    return order / order.numel() * 256 / 255 - 0.5 / 255


def displayed(network: Network, images: Tensor) -> Tensor:
    """Normalised images (batch, channel, height, width) as pixels that can be shown, cut to [0, 1]."""
    return to_pixels(images, network.preprocess).clamp(0, 1)


def gallery_of(run: Run, trained: Trained) -> pd.DataFrame:
    """A few images, their truth and their heatmaps by every method, as pictures."""
    shown = _shown(run, trained)

    def compute() -> pd.DataFrame:
        batch = load(run.dataset, run.split, shown, trained.network, run.device)
        explainer = Explainer(run, trained)
        explained = explainer.explanations(*explainer.request_for(batch), batch, run.suite.attributions)
        return pictures(trained, batch, explained)

    if not shown:
        return pd.DataFrame(columns=PICTURES.names)
    return run.stored(_identity(run, trained, shown), PICTURES, compute)


def pictures_lacking(run: Run, trained: Trained) -> int:
    """How many images are still to be explained for the pictures."""
    shown = _shown(run, trained)
    return 0 if not shown or run.store.has(key_of(_identity(run, trained, shown))) else len(shown)


def _shown(run: Run, trained: Trained) -> list[int]:
    chosen = run.chosen(trained.network, run.table.dataset.images)
    return [chosen[i] for i in evenly_spaced(len(chosen), run.table.gallery)] if run.table.gallery else []


def _identity(run: Run, trained: Trained, shown: Sequence[int]) -> dict[str, Any]:
    return identity(run, [trained], run.ids(shown), "pictures and rank maps", *run.suite.attributions)


def png(picture: Tensor) -> bytes:
    """A picture (1 or 3, height, width) in [0, 1] as the bytes of an 8-bit PNG."""
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(file, "PNG")
    return file.getvalue()
