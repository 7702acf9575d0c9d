"""Rows of unfinished tables: what is finished of a shard, kept every two minutes, so that a kill loses no more."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa

from bench.files import set_aside
from bench.results.cell_store import Store, read_table, write_table

KEEP_EVERY = 120.0  # seconds


@dataclass
class FinishedImages:
    """The rows of tables that are not finished yet, in one file; `name` is the shard's, tables are told by their keys.

    Only for whoever holds the shard's lock. Rows of tables that nobody asks for stay in the file until these are
    finished too.
    """

    store: Store
    name: str
    schema: pa.Schema
    code: str
    rows: dict[str, list[pd.DataFrame]] = field(default_factory=dict)
    images: dict[str, set[str]] = field(default_factory=dict)
    kept: float = field(default_factory=time.monotonic)
    added: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        try:
            table = read_table(self._path, self.name, self._with_key)
        except ValueError as error:
            set_aside(self._path, str(error))
            return
        if table is not None:
            for key, rows in table.to_pandas().groupby("key", sort=False):
                self._take(str(key), rows.drop(columns="key"))

    def take_parts(self, *, failures: bool) -> None:
        """Take the rows that other processes have finished, as parts of the same name; with `failures` those too."""
        for path in sorted(self._path.parent.glob(f"{self.name}-*.parquet")):
            part = FinishedImages(self.store, path.stem, self.schema, self.code)
            if not failures:
                part.forget_failures()
            for key, rows in part.rows.items():
                for frame in rows:
                    self._take(key, frame)

    def forget_failures(self) -> None:
        """Forget the rows of plug-ins that failed, so that they are tried again."""
        known, self.rows, self.images = self.rows, {}, {}
        for key, frames in known.items():
            for frame in map(_scored, frames):
                if len(frame):
                    self._take(key, frame)

    def lacks(self, key: str, images: Sequence[str]) -> bool:
        """Whether a row of one of these images is still to be made for the table of this key."""
        return not self.images.get(key, set()).issuperset(images)

    def add(self, tables: Mapping[str, pd.DataFrame]) -> None:
        """Rows of finished images by key; they are on disk two minutes later at the latest."""
        for key, rows in tables.items():
            self._take(key, rows)
        now = time.monotonic()
        # Written now where the next images might take too long.
        if now - self.kept + (now - self.added) >= KEEP_EVERY:
            self.keep()
            self.kept = time.monotonic()
        self.added = time.monotonic()

    def table(self, key: str, images: Sequence[str]) -> pd.DataFrame:
        """The finished table of this key, a row for each of these images in their order."""
        rows = pd.concat(self.rows[key], ignore_index=True)
        ordered: pd.DataFrame = rows.set_index("image").loc[list(images)].reset_index()[self.schema.names]
        return ordered

    def drop(self, keys: Sequence[str]) -> None:
        """Forget tables that are in the store now; the file goes with the last of them."""
        kept = {key: rows for key, rows in self.rows.items() if key not in keys}
        unchanged, self.rows = len(kept) == len(self.rows), kept
        if not kept:
            self._path.unlink(missing_ok=True)
            for path in self._path.parent.glob(f"{self.name}-*.parquet"):
                path.unlink(missing_ok=True)
        elif not unchanged and self._path.exists():
            self.keep()

    def keep(self, *, failures: bool = False) -> None:
        """Write all rows, but without `failures` not those of plug-ins that failed, which are tried again."""
        kept = [(key, part if failures else _scored(part)) for key, parts in self.rows.items() for part in parts]
        frames = [part.assign(key=key) for key, part in kept]
        filled = [frame for frame in frames if len(frame)]
        if filled:
            rows = pd.concat(filled, ignore_index=True)
            write_table(self._path, self.name, rows, self._with_key, self.code, level=1)
        else:
            self._path.unlink(missing_ok=True)

    def _take(self, key: str, rows: pd.DataFrame) -> None:
        parts, images = self.rows.setdefault(key, []), self.images.setdefault(key, set())
        if not images.isdisjoint(rows["image"]):
            parts[:] = [part[~part["image"].isin(rows["image"])] for part in parts]
        parts.append(rows)
        images.update(rows["image"])

    @property
    def _path(self) -> Path:
        return self.store.finished_images(self.name)

    @property
    def _with_key(self) -> pa.Schema:
        return self.schema.append(pa.field("key", pa.string()))


def failed(rows: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows hold no score because a plug-in failed or could not work."""
    return rows["status"].str.startswith(("failed", "unsupported"))


def _scored(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[~failed(rows)] if "status" in rows else rows
