"""A few images with their truth and heatmaps as pictures, for the reader's own eyes."""

import io
from collections.abc import Mapping

import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from bench.api import Attribution, Explained, Network
from bench.api.network import to_pixels
from bench.data.batches import Batch, evenly_spaced, load
from bench.functional.heatmaps import for_display
from bench.results.pictures import PICTURES
from bench.runner.explain import Explainer
from bench.runner.identity import identity
from bench.runner.records import Run, Trained


def pictures(trained: Trained, batch: Batch, explained: Mapping[Attribution, Explained | str]) -> pd.DataFrame:
    """Rows of 8-bit pictures: each image, its truth where there is one, and each method's finite heatmaps."""
    images = displayed(trained.network, batch.images)
    rows = []
    for row, image_id in enumerate(batch.ids):
        rows.append((image_id, "image", "", png(images[row])))
        if batch.truth is not None:
            rows.append((image_id, "truth", "", png(batch.truth[row][None])))
    for method, own in explained.items():
        if isinstance(own, Explained):
            shown = for_display(own.heatmaps.nan_to_num())
            finite = own.heatmaps.flatten(1).isfinite().all(1)
            rows += [
                (image_id, "heatmap", method.label, png(shown[row][None]))
                for row, image_id in enumerate(batch.ids)
                if finite[row]
            ]
    return pd.DataFrame(rows, columns=PICTURES.names)


def displayed(network: Network, images: Tensor) -> Tensor:
    """Normalised images (batch, channel, height, width) as pixels that can be shown, cut to [0, 1]."""
    return to_pixels(images, network.preprocess).clamp(0, 1)


def gallery_of(run: Run, trained: Trained) -> pd.DataFrame:
    """A few images, their truth and their heatmaps by every method, as pictures."""
    chosen = run.chosen(trained.network, run.table.dataset.images)
    shown = [chosen[i] for i in evenly_spaced(len(chosen), run.table.gallery)] if run.table.gallery else []

    def compute() -> pd.DataFrame:
        batch = load(run.dataset, run.split, shown, trained.network, run.device)
        explainer = Explainer(run, trained)
        explained = explainer.explanations(*explainer.request_for(batch), batch, run.suite.attributions)
        return pictures(trained, batch, explained)

    if not shown:
        return pd.DataFrame(columns=PICTURES.names)
    parts = identity(run, [trained], run.ids(shown), "pictures", *run.suite.attributions)
    return run.stored(parts, PICTURES, compute)


def png(picture: Tensor) -> bytes:
    """A picture (1 or 3, height, width) in [0, 1] as the bytes of an 8-bit PNG."""
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(file, "PNG")
    return file.getvalue()
