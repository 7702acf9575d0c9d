"""The store of finished cells, and of heatmaps: one immutable, checksummed Parquet file each."""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.files import locked, set_aside, write_whole
from bench.results.result_set import parquet

CELL = pa.schema(
    [("image", pa.string()), ("score", pa.float64()), ("status", pa.string()), ("curve", pa.list_(pa.float32()))]
)
_MARK = b"sha256:"
_BLANK = b"0" * 64


@dataclass(frozen=True)
class Store:
    """Finished cells under a folder, found by key. A cell is written once and never changed.

    They lie in `folder` of the root; `heatmaps` is the same store with heatmaps in the place of cells.
    """

    root: Path
    folder: str = "cells"

    def read(self, key: str, schema: pa.Schema = CELL, images: Sequence[str] | None = None) -> pd.DataFrame | None:
        """The cell, or None where there is none; what is damaged is set aside with one line of the log.

        `images`: the ids that it has to hold, in order.
        """
        path = self.path(key)
        try:
            table = read_table(path, key, schema)
            if table is not None:
                check_cell(table, images)
        except ValueError as error:
            set_aside(path, str(error))
            return None
        return None if table is None else table.to_pandas()

    def write(self, key: str, cell: pd.DataFrame, schema: pa.Schema = CELL, code: str = "", level: int = 15) -> None:
        """Keep a finished cell; `code` says what computed it, `level` how hard it is compressed."""
        write_table(self.path(key), key, cell, schema, code, level)

    def has(self, key: str) -> bool:
        """Whether there is a cell of this key, as far as its name tells: it is not read."""
        return self.path(key).exists()

    def path(self, key: str) -> Path:
        """Where the cell of this key is kept."""
        return self.root / self.folder / key[:2] / f"{key}.parquet"

    @property
    def heatmaps(self) -> "Store":
        """Where heatmaps are kept."""
        return Store(self.root, "heatmaps")

    @property
    def networks(self) -> Path:
        """Where trained networks are kept."""
        return self.root / "networks"

    @property
    def chunks(self) -> Path:
        """Where measured chunk sizes and compilers are kept."""
        return self.root / "chunks.json"

    def finished_images(self, name: str) -> Path:
        """Where the finished rows of unfinished tables of this name are kept."""
        return self.root / "finished_images" / f"{name}.parquet"

    @contextmanager
    def lock(self, key: str, what: str) -> Iterator[None]:
        """Inside, no other run works on what has this key."""
        with locked(self.root / "locks" / f".{key}.lock", what):
            yield


def write_table(path: Path, key: str, frame: pd.DataFrame, schema: pa.Schema, code: str, level: int = 15) -> None:
    """Write a table of this key, with a checksum over all of the file in its metadata; `level` of its compression."""
    about = {"key": key, "code": code, "seal": (_MARK + _BLANK).decode()}
    content = parquet(pa.Table.from_pandas(frame, schema=schema.with_metadata(about), preserve_index=False), level)
    start = content.rindex(_MARK + _BLANK) + len(_MARK)
    digest = hashlib.sha256(content).hexdigest().encode()
    write_whole(path, content[:start] + digest + content[start + len(digest) :])


def read_table(path: Path, key: str, schema: pa.Schema) -> pa.Table | None:
    """The table in a file, None where there is no file.

    ValueError where one bit of it was changed, or it is the table of another key or schema.
    """
    try:
        table = checked_table(path.read_bytes(), key)
    except FileNotFoundError:
        return None
    if not table.schema.remove_metadata().equals(schema.remove_metadata()):
        raise ValueError("it has other columns")
    return table


def checked_table(content: bytes, key: str) -> pa.Table:
    """The table of this key in a file of this content; ValueError where one bit of it was changed."""
    start = content.rfind(_MARK) + len(_MARK)
    digest, blank = content[start : start + 64], content[:start] + _BLANK + content[start + 64 :]
    # Before anything is decoded: what decodes damaged bytes may do anything.
    if start < len(_MARK) or hashlib.sha256(blank).hexdigest().encode() != digest:
        raise ValueError("its checksum does not match")
    try:
        table = pq.read_table(io.BytesIO(content))
    except (OSError, pa.ArrowException) as error:
        raise ValueError(str(error).splitlines()[0]) from error
    if (table.schema.metadata or {}).get(b"key") != key.encode():
        raise ValueError("it belongs to something else")
    return table


def check_cell(table: pa.Table, images: Sequence[str] | None = None) -> None:
    """ValueError where the values cannot be those of a cell: other images, or a score that is ok and not a number."""
    if images is not None and table["image"].to_pylist() != list(images):
        raise ValueError("it holds other images")
    if "score" in table.column_names:
        scores = table.select(["score", "status"]).to_pandas()
        if (scores.score.isna() & scores.status.eq("ok")).any():
            raise ValueError("a score that is ok is not a number")


def code_of(path: Path) -> str | None:
    """What computed the table in a file; None where that cannot be told."""
    try:
        about = pq.read_schema(path).metadata or {}
    except (OSError, ValueError, pa.ArrowException):
        return None
    return about[b"code"].decode() if b"code" in about else None
