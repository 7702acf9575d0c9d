"""What a run takes beside the network: keeping its cells, and its report."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import torch

from bench.api import Scored
from bench.data.batches import SHARD
from bench.parallel.throughput import seconds
from bench.results.cell_store import CELL, Store
from bench.results.finished_images import FinishedImages
from bench.runner.records import Run
from bench.runner.score import rows

CELLS, POINTS = 8, 100
# A report takes about this share of what it takes to import all that a run imports; tests/perf/test_plan.py shows it.
REPORT = 0.45


def report_seconds(imports: float) -> float:
    """Seconds of statistics, tables, figures and page, by those of this process until everything was imported."""
    return REPORT * imports


def keeping_seconds(run: Run, positions: Sequence[int]) -> float:
    """Seconds for each cell of these images: its rows batch by batch, its table, its file; some are made to see it."""
    shard = positions[:SHARD]
    ids, batches = run.ids(shard), [run.ids(part) for part in run.batches_of(shard)]

    def keep(store: Store, keys: Sequence[str]) -> None:
        finished = FinishedImages(store, keys[0], CELL, "")
        for part in batches:
            scored = Scored(torch.rand(len(part)), torch.rand(len(part), POINTS))
            finished.add({key: rows(part, scored) for key in keys})
        tables = {key: finished.table(key, ids) for key in keys}
        finished.keep()
        for key, table in tables.items():
            store.write(key, table)
            pa.Table.from_pandas(table, CELL, preserve_index=False)
        finished.drop(keys)

    with TemporaryDirectory() as folder:
        store = Store(Path(folder))
        keep(store, ["first"])  # takes longer
        return seconds(lambda: keep(store, [f"cell {number}" for number in range(CELLS)]), run.device) / CELLS
