"""Sample images and heatmaps of a result set as files."""

import re
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bench.files import write_whole

PICTURES = pa.schema(
    [
        *((name, pa.string()) for name in ("image", "kind", "attribution")),
        ("png", pa.binary()),
        ("zero", pa.float32()),
    ]
)


def write_pictures(heatmaps: pd.DataFrame, folder: Path) -> int:
    """Write each picture of a result set as NETWORK-RECIPE-SEED/IMAGE/ATTRIBUTION.png (or image.png, truth.png).

    Rank maps are called ATTRIBUTION-ranks.png.

    Characters that file names do not bear become `_`. Returns how many pictures there are.
    """
    for row, picture in zip(heatmaps.itertuples(index=False), heatmaps.png.tolist(), strict=True):
        place = folder / _file_name(f"{row.network}-{row.recipe}-{row.seed}") / _file_name(row.image)
        name = {"heatmap": row.attribution, "ranks": f"{row.attribution}-ranks"}.get(str(row.kind), row.kind)
        write_whole(place / f"{_file_name(name)}.png", picture)
    return len(heatmaps)


def _file_name(text: object) -> str:
    return re.sub(r"[^\w.,=()-]+", "_", str(text)).lstrip(".") or "_"
