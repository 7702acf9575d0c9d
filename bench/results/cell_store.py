"""The store of finished cells: one immutable, checksummed Parquet file each."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.files import write_whole
from bench.results.result_set import _parquet

CELL = pa.schema(
    [("image", pa.string()), ("score", pa.float64()), ("status", pa.string()), ("curve", pa.list_(pa.float32()))]
)


@dataclass(frozen=True)
class Store:
    """Finished cells under a folder, found by key. A cell is written once and never changed."""

    root: Path

    def read(self, key: str) -> pd.DataFrame | None:
        """The cell, or None where there is none or its file does not verify (it is then computed anew)."""
        path = self._path(key)
        if not path.exists():
            return None
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException):
            return None
        return table.to_pandas() if (table.schema.metadata or {}).get(b"key") == key.encode() else None

    def write(self, key: str, cell: pd.DataFrame, schema: pa.Schema = CELL) -> None:
        """Keep a finished cell."""
        table = pa.Table.from_pandas(cell, schema=schema.with_metadata({"key": key}), preserve_index=False)
        write_whole(self._path(key), _parquet(table))

    @property
    def networks(self) -> Path:
        """Where trained networks are kept."""
        return self.root / "networks"

    def _path(self, key: str) -> Path:
        return self.root / "cells" / key[:2] / f"{key}.parquet"
