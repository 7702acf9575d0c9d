"""Result sets on disk: four tables, and a manifest with their checksums and its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench.errors import HeatmarkError, printable
from bench.files import checksum, sealed, unsealed, write_whole
from bench.results.commit import commit, current

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
            ("zero", pa.float32()),
        ]
    ),
}

LATER = ("zero",)  # columns that older result sets lack


_NAMES = {*(name for name, _ in _ENTRY), "metric", "protocol", "target", "architecture"}


@dataclass(frozen=True)
class Results:
    """A result set: all that statistics and reports read. Columns are those of `SCHEMAS`."""

    scores: pd.DataFrame
    curves: pd.DataFrame
    networks: pd.DataFrame
    heatmaps: pd.DataFrame
    manifest: dict[str, Any]


def write_results(results: Results, folder: Path) -> None:
    """Write a result set into a folder: all of it or nothing, in the place of one that was there."""
    with commit(folder) as staged:
        for name, schema in SCHEMAS.items():
            table = pa.Table.from_pandas(getattr(results, name), schema=schema, preserve_index=False)
            write_whole(staged / f"{name}.parquet", parquet(table.replace_schema_metadata(None)))
        checksums = {name: checksum(staged / f"{name}.parquet") for name in SCHEMAS}
        write_whole(staged / "manifest.json", sealed({**results.manifest, "tables": checksums}))


def read_results(folder: Path) -> Results:
    """The result set in a folder.

    HeatmarkError naming the file that is missing or broken, or does not have the checksum in the manifest. Sets of
    versions before checksums have none.
    """
    if not any(current(folder, f"{name}.parquet").is_file() for name in SCHEMAS):
        raise HeatmarkError(f"no result set in {folder}; expected a folder that `heatmark run` has written")
    manifest, checksums = _read_manifest(current(folder, "manifest.json"))
    tables = {}
    for name, schema in SCHEMAS.items():
        path = current(folder, f"{name}.parquet")
        if checksums is not None and path.is_file() and checksum(path) != checksums.get(name):
            raise HeatmarkError(f"{path} is damaged, changed, or of another run: its checksum is not the manifest's")
        tables[name] = _read_table(path, schema)
    # Arrow keeps what it decoded the columns in, more than twice as much as they take.
    pa.default_memory_pool().release_unused()
    _check_manifest(manifest, tables["scores"], current(folder, "manifest.json"))
    _check_networks(tables["scores"], tables["networks"], current(folder, "networks.parquet"))
    return Results(**tables, manifest=manifest)


def _check_manifest(manifest: dict[str, Any], scores: pd.DataFrame, path: Path) -> None:
    """The manifest tells of every metric and attribution that has scores: without it a direction would be a guess."""
    if not len(scores):
        return
    tables = {kind: manifest.get(kind) for kind in ("dataset", "metrics", "attributions", "versions")}
    for kind, table in {**tables, "recipes": manifest.get("recipes", {})}.items():
        if not isinstance(table, dict):
            raise HeatmarkError(f"{path} is not the manifest of a result set: expected a table {kind!r}")
    for kind in ("suite", "command", "target"):
        if not isinstance(manifest.get(kind), str):
            raise HeatmarkError(f"{path} is not the manifest of a result set: expected a text {kind!r}")
    for kind in ("metric", "attribution"):
        unknown = sorted(set(scores[kind].unique()) - manifest[f"{kind}s"].keys())
        if unknown:
            raise HeatmarkError(
                f"{path} is not the manifest of these scores: it says nothing of the {kind} {unknown[0]!r}"
            )
    for name in scores["metric"].unique():
        way = manifest["metrics"][name].get("direction") if isinstance(manifest["metrics"][name], dict) else None
        if way not in ("higher", "lower"):
            raise HeatmarkError(f"{path}: the direction of metric {name!r} is {way!r}; expected 'higher' or 'lower'")


def has_checksums(folder: Path) -> bool:
    """Whether the manifest of a result set holds the checksums of its tables."""
    return _read_manifest(current(folder, "manifest.json"))[1] is not None


def manifest_in(folder: Path) -> dict[str, Any] | None:
    """The manifest of the set in a folder alone, None where there is none that can be read."""
    try:
        return _read_manifest(current(folder, "manifest.json"))[0]
    except HeatmarkError:
        return None


def _read_manifest(path: Path) -> tuple[dict[str, Any], dict[str, str] | None]:
    """What it says, and the checksums of the tables by name where it has some."""
    try:
        content = path.read_bytes()
        manifest = unsealed(content, must=False)
        checksums = manifest.pop("tables", None)
        if checksums is not None:
            unsealed(content)
            checksums = dict(checksums)
    except (OSError, ValueError, TypeError) as error:
        raise HeatmarkError(f"{path} is not the manifest of a result set: {error}") from error
    return manifest, checksums


def _read_table(path: Path, schema: pa.Schema) -> pd.DataFrame:
    texts = [field.name for field in schema if field.type == pa.string()]
    try:
        # As categories: millions of rows repeat a few names.
        table = pq.read_table(path, page_checksum_verification=True, read_dictionary=texts)
        _check_columns(table.schema, schema)
        frame: pd.DataFrame = table.to_pandas(split_blocks=True, self_destruct=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise HeatmarkError(f"{path} is not a table of a result set: {printable(error)}") from error
    _check_names(frame, path)
    _check_scores(frame, path)
    # What was published before has no columns that came later.
    return frame.reindex(columns=[*frame.columns, *(name for name in schema.names if name not in frame)])


def _check_names(frame: pd.DataFrame, path: Path) -> None:
    """No name of a set that others made can write to a terminal or break a table's row."""
    for column in _NAMES & set(frame.columns):
        for name in frame[column].unique():
            if isinstance(name, str) and not name.isprintable():
                raise HeatmarkError(f"{path}: {column} {name!r} has a control character; expected a name")


def _check_scores(frame: pd.DataFrame, path: Path) -> None:
    """Every row that tells what it is of tells all of it, and a score that is ok is a number."""
    if "status" not in frame:
        return
    for column in [*(name for name, _ in [*_ENTRY, *_SCORED]), "status"]:
        if frame[column].isna().any():
            raise HeatmarkError(f"{path}: column {column!r} has no value in some row; expected one in each")
    wrong = frame["status"].eq("ok") & ~np.isfinite(frame["score"])
    if wrong.any():
        row = frame[wrong].iloc[0]
        where = f"{row['attribution']}, {row['metric']}, image {row['image']}"
        raise HeatmarkError(f"{path}: the score of {where} is ok and {row['score']}; expected a number")


def _check_networks(scores: pd.DataFrame, networks: pd.DataFrame, path: Path) -> None:
    """The table of networks has every network and recipe that has scores: else these would be left out in silence."""
    named = ["network", "recipe"]
    known = set(networks[named].itertuples(index=False, name=None))
    for network, recipe in scores[named].drop_duplicates().itertuples(index=False, name=None):
        if (network, recipe) not in known:
            raise HeatmarkError(f"{path} has no row of network {network!r} by recipe {recipe!r}, which has scores")


def _check_columns(found: pa.Schema, expected: pa.Schema) -> None:
    """ValueError where a column is missing or holds something else."""
    for field in expected:
        if field.name in LATER and field.name not in found.names:
            continue
        if field.name not in found.names:
            raise ValueError(f"it has no column {field.name!r}")
        own = found.field(field.name).type
        own = own.value_type if pa.types.is_dictionary(own) else own
        if own != field.type:
            raise ValueError(f"its column {field.name!r} holds {own}, expected {field.type}")


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
