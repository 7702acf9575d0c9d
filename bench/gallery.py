"""A few images with their truth and heatmaps as pictures, for the reader's own eyes."""

import io
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from bench.api import Attribution
from bench.cells import Trained
from bench.data import Batch
from bench.handed import Explained, Network
from bench.heatmaps import for_display
from bench.store import write_whole

PICTURES = pa.schema(
    [("image", pa.string()), ("kind", pa.string()), ("attribution", pa.string()), ("png", pa.binary())]
)


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


def write_pictures(heatmaps: pd.DataFrame, folder: Path) -> int:
    """Write each picture of a result set as NETWORK-RECIPE-SEED/IMAGE/ATTRIBUTION.png (or image.png, truth.png).

    Characters that file names do not bear become `_`. Returns how many pictures there are.
    """
    for row, picture in zip(heatmaps.itertuples(index=False), heatmaps.png.tolist(), strict=True):
        place = folder / _file_name(f"{row.network}-{row.recipe}-{row.seed}") / _file_name(row.image)
        write_whole(place / f"{_file_name(row.attribution if row.kind == 'heatmap' else row.kind)}.png", picture)
    return len(heatmaps)


def _file_name(text: object) -> str:
    return re.sub(r"[^\w.,=()-]+", "_", str(text)).lstrip(".") or "_"


def displayed(network: Network, images: Tensor) -> Tensor:
    """Normalised images (batch, channel, height, width) as pixels in [0, 1] again."""
    mean, std = (images.new_tensor(v)[:, None, None] for v in (network.preprocess.mean, network.preprocess.std))
    return (images * std + mean).clamp(0, 1)


def png(picture: Tensor) -> bytes:
    """A picture (1 or 3, height, width) in [0, 1] as the bytes of an 8-bit PNG."""
    levels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).cpu().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(file, "PNG")
    return file.getvalue()
