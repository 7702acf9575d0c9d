"""Attributions of a batch as rows of a table, and back, to the last bit and as they lie in memory."""

from collections.abc import Sequence

import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

# `values`: the bytes of (channel | 1, height, width), as `shape` says; `strides`: those of the whole batch.
HEATMAPS = pa.schema(
    [
        ("image", pa.string()),
        ("dtype", pa.string()),
        ("shape", pa.list_(pa.int64())),
        ("strides", pa.list_(pa.int64())),
        ("values", pa.large_binary()),
    ]
)


def rows_of(ids: Sequence[str], attributions: Tensor) -> pd.DataFrame:
    """Attributions (batch, channel | 1, height, width), a row for each image."""
    plain = attributions.cpu().contiguous().flatten(1).view(torch.uint8)
    return pd.DataFrame(
        {
            "image": list(ids),
            "dtype": str(attributions.dtype).removeprefix("torch."),
            "shape": [list(attributions.shape[1:])] * len(ids),
            "strides": [list(attributions.stride())] * len(ids),
            "values": [own.numpy().tobytes() for own in plain],
        }
    )


def attributions_of(rows: pd.DataFrame) -> Tensor:
    """The attributions in all rows, on the CPU.

    They lie in memory as they did: a sum of them would else be rounded differently.
    """
    first = rows.iloc[0]
    values = torch.frombuffer(bytearray(b"".join(rows["values"])), dtype=getattr(torch, first["dtype"]))
    shape = (len(rows), *map(int, first["shape"]))
    return torch.empty_strided(shape, [*map(int, first["strides"])], dtype=values.dtype).copy_(values.view(shape))
