"""What in a store is whole, and what is of no use any more."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from bench.engine.autotune import checked_notes
from bench.errors import HeatmarkError
from bench.files import DAMAGED, TEMPORARY, key_of, sweep
from bench.racing.race import race_blocks
from bench.results.cell_store import Store, check_cell, checked_table, code_of
from bench.results.commit import settle
from bench.results.result_set import read_results
from bench.runner.accuracy import network_row
from bench.runner.blocks import blocks_of
from bench.runner.identity import code_hash
from bench.runner.records import Run
from bench.runner.run import ready_networks
from bench.runner.sample_heatmaps import gallery_of
from bench.training.checkpoints import checked_checkpoint, checked_trained


@dataclass(frozen=True)
class File:
    """A file of a store, or the folder of a result set: what it is, and why it is damaged (None where it is whole)."""

    path: Path
    kind: str
    damage: str | None


def checked(store: Store) -> Iterator[File]:
    """Every file of a store, read and checked; nothing is changed."""
    for path in sorted((store.root / "cells").rglob("*.parquet")):
        yield File(path, "cells", _damage(_check_cell_file, path))
    for path in sorted((store.root / "heatmaps").rglob("*.parquet")):
        yield File(path, "batches of heatmaps", _damage(_check_table_file, path))
    for path in sorted((store.root / "finished_images").glob("*.parquet")):
        yield File(path, "finished images", _damage(_check_table_file, path))
    for path in sorted(store.networks.glob("*.safetensors")):
        yield File(path, "networks", _damage(checked_trained, path))
    for path in sorted(store.networks.glob("*.partial")):
        yield File(path, "checkpoints", _damage(checked_checkpoint, path))
    if store.chunks.exists():
        yield File(store.chunks, "notes", _damage(lambda path: checked_notes(path.read_bytes()), store.chunks))
    for path in _result_sets(store):
        yield File(path, "result sets", _damage(read_results, path))
    for path in sorted(store.root.rglob(f"*{DAMAGED}")):
        yield File(path, "set aside", "set aside by an earlier run")
    for path in sorted(store.root.rglob(f".*{TEMPORARY}")):
        yield File(path, "temporary files", None)


def prune(store: Store, reachable: set[str] | None, *, dry: bool) -> Iterator[tuple[Path, str, int]]:
    """Remove what is of no use: each file, why, and its bytes; with `dry` only what would go.

    Cells, heatmaps and finished images of other code; with `reachable` also cells and heatmaps of other keys; what was
    set aside; what dead runs have left.
    """
    if not dry:
        for path in _result_sets(store):
            settle(path)
        yield from ((path, "left by a dead run", size) for path, size in sweep(store.root))
    for path, reason in _useless(store, reachable):
        size = path.stat().st_size
        if not dry:
            path.unlink()
        yield path, reason, size


def _useless(store: Store, reachable: set[str] | None) -> Iterator[tuple[Path, str]]:
    here = code_hash()
    for path in sorted(path for folder in ("cells", "heatmaps") for path in (store.root / folder).rglob("*.parquet")):
        if code_of(path) != here:
            yield path, "of other code"
        elif reachable is not None and path.stem not in reachable:
            yield path, "of none of these suites"
    for path in sorted((store.root / "finished_images").glob("*.parquet")):
        if code_of(path) != here:
            yield path, "of other code"
    for path in sorted(store.root.rglob(f"*{DAMAGED}")):
        yield path, "damaged"


@dataclass(frozen=True)
class Survey(Run):
    """A run that computes nothing and notes the keys that it asks the store for."""

    asked: set[str] = field(default_factory=set)

    def stored(self, identity: dict[str, Any], schema: pa.Schema, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:  # noqa: ARG002
        """The table in the store, or one without rows."""
        key = key_of(identity)
        self.asked.add(key)
        table = self.store.read(key, schema)
        return schema.empty_table().to_pandas() if table is None else table


def reachable(runs: Iterable[Survey]) -> tuple[set[str], list[str]]:
    """The keys of all cells and heatmaps of these runs with the networks that are here.

    And a line for each entry whose networks are not.
    """
    asked, missing = set[str](), []
    for run in runs:
        for number in range(len(run.suite.recipes)):
            for retrain in (False, True) if run.table.networks[number].training else (False,):
                try:
                    group = ready_networks(run, number, retrain=retrain, if_missing="refuse")
                except HeatmarkError as error:
                    missing.append(str(error))
                    continue
                for trained in group:
                    network_row(run, trained)
                    gallery_of(run, trained)
                for block in (*blocks_of(run, group), *race_blocks(run, group)):
                    asked.update(block.keys.values(), block.heatmap_keys())
        asked |= run.asked
    return asked, missing


def _damage(check: Callable[[Path], object], path: Path) -> str | None:
    try:
        check(path)
    except (ValueError, OSError, HeatmarkError) as error:
        return str(error)
    return None


def _check_table_file(path: Path) -> pa.Table:
    return checked_table(path.read_bytes(), path.stem)


def _check_cell_file(path: Path) -> None:
    check_cell(_check_table_file(path))


def _result_sets(store: Store) -> list[Path]:
    folders = [path for path in sorted((store.root / "results").glob("*")) if path.is_dir()]
    return [path for path in folders if any(path.iterdir())]
