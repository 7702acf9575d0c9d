"""Result sets on disk: four tables and a manifest."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import HeatmarkError
from bench.files import write_whole

_ENTRY = [(name, pa.string()) for name in ("suite", "dataset", "network", "recipe", "attribution")]
_SCORED = [(name, pa.string()) for name in ("metric", "protocol", "target", "image")] + [("seed", pa.int64())]
SCHEMAS = {
    "scores": pa.schema([*_ENTRY, *_SCORED, ("score", pa.float64()), ("status", pa.string())]),
    "curves": pa.schema([*_ENTRY, *_SCORED, ("curve", pa.list_(pa.float32()))]),
    "networks": pa.schema(
        [
            *_ENTRY[:4],
            ("seed", pa.int64()),
            ("architecture", pa.string()),
            ("images", pa.int64()),
            ("accuracy", pa.float64()),
            ("accuracy_among_classes", pa.float64()),
            ("robust_accuracy", pa.float64()),
            ("parameters", pa.int64()),
            ("weights", pa.string()),
            ("log", pa.string()),
        ]
    ),
    "heatmaps": pa.schema(
        [
            *_ENTRY,
            ("image", pa.string()),
            ("seed", pa.int64()),
            ("kind", pa.string()),
            ("target", pa.string()),
            ("png", pa.binary()),
        ]
    ),
}


@dataclass(frozen=True)
class Results:
    """A result set: all that statistics and reports read. Columns are those of `SCHEMAS`."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    networks: pd.DataFrame
    heatmaps: pd.DataFrame
    manifest: dict[str, Any]


def write_results(results: Results, folder: Path) -> None:
    """Write a result set into a folder, each file whole or not at all."""
    for name, schema in SCHEMAS.items():
        table = pa.Table.from_pandas(getattr(results, name), schema=schema, preserve_index=False)
        write_whole(folder / f"{name}.parquet", parquet(table.replace_schema_metadata(None)))
    write_whole(folder / "manifest.json", (json.dumps(results.manifest, indent=2) + "\n").encode())


def read_results(folder: Path) -> Results:
    """The result set in a folder; HeatmarkError naming the file that is missing or broken."""
    if not any((folder / f"{name}.parquet").is_file() for name in SCHEMAS):
        raise HeatmarkError(f"no result set in {folder}; expected a folder that `heatmark run` has written")
    tables = {name: _read_table(folder / f"{name}.parquet", schema) for name, schema in SCHEMAS.items()}
    # Arrow keeps what it decoded the columns in, more than twice as much as they take.
    pa.default_memory_pool().release_unused()
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HeatmarkError(f"{path} is not the manifest of a result set: {error}") from error
    return Results(**tables, manifest=manifest)


def _read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    texts = [field.name for field in schema if field.type == pa.string()]
    try:
        # As categories: millions of rows repeat a few names.
        table = pq.read_table(path, page_checksum_verification=True, read_dictionary=texts)
        frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    except (OSError, pa.ArrowException) as error:
        raise HeatmarkError(f"{path} is not a table of a result set: {error}") from error
    return frame


def parquet(table: pa.Table, level: int = 15) -> bytes:
    """The table as a Parquet file, by zstd of this level."""
    sink = pa.BufferOutputStream()
    # Scores hardly repeat: split into streams of bytes they take a third less than by a dictionary.
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    paths = [f"{field.name}.list.element" if pa.types.is_list(field.type) else field.name for field in table.schema]
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=level,
        write_page_checksum=True,
        use_dictionary=[path for path in paths if path not in floats],
        use_byte_stream_split=floats,
    )
    content: bytes = sink.getvalue().to_pybytes()
    return content
