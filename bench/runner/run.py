"""Carry out a suite: train or load, explain, score, store; skip every cell that is already there."""

import json
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import torch

from bench.api.module_state import forget_networks
from bench.data.label_map import check_readable
from bench.engine.allocator import keep_large_blocks
from bench.errors import HeatmarkError
from bench.files import sweep
from bench.progress import CELLS
from bench.results.cell_store import CELL
from bench.results.pictures import PICTURES
from bench.results.result_set import Results
from bench.runner.accuracy import network_row
from bench.runner.blocks import blocks_of, expected_work
from bench.runner.collect import Part, collect
from bench.runner.networks import NetworkLoader, looked_at, looked_at_full
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import gallery_of
from bench.runner.speed import tuned
from bench.training.checkpoints import write_trained


def run_suite(run: Run, *, retrain: bool = False) -> Results:
    """Compute every missing cell of the suite, store it, and gather all cells as a result set.

    With `retrain` networks are trained by their recipes even where weights are at hand.
    """
    suite = run.suite
    sweep(run.store.root)
    parts: list[Part] = []
    networks, shown = [], []
    check_readable(run.dataset, f"{suite.file}: dataset")
    expected = [expected_work(run, number) for number in range(len(suite.recipes))]
    run.progress.advance(CELLS, 0, sum(expected))
    for number in range(len(suite.recipes)):
        group = ready_networks(run, number, retrain=retrain)
        blocks = list(blocks_of(run, group))
        run.progress.advance(CELLS, 0, sum(len(block.shard) * len(block.pairs) for block in blocks) - expected[number])
        for trained in group:
            told = number not in run.untold
            networks.append(network_row(run, trained, told=told))
            shown.append((trained, gallery_of(run, trained) if told else pd.DataFrame(columns=PICTURES.names)))
        for block in blocks:
            for pair, cell in block.cells().items():
                # Kept until the run ends: many small arrays between large ones would leave holes that nothing fills.
                parts.append(Part(block.group[0], *pair, pa.Table.from_pandas(cell, CELL, preserve_index=False)))
    return collect(run, parts, networks, shown, retrained=retrain)


def ready_networks(
    run: Run, number: int, *, retrain: bool = False, if_missing: Literal["train", "refuse"] = "train"
) -> list[Trained]:
    """The networks of one entry of the suite, loaded or trained, set up to go fast.

    HeatmarkError where one would have to be trained and is to be refused instead.
    """
    keep_large_blocks()
    forget_networks()
    loader = NetworkLoader.of(run.suite, number, run.store.networks, run.device, run.progress, if_missing)
    return [looked_at_full(run, tuned(run, looked_at(run, trained))) for trained in loader.load(retrain=retrain)]


def train_one(run: Run, number: int, out: Path | None) -> dict[str, Any]:
    """Train one network of the suite and measure its accuracy; the row of the result set that tells of it.

    `out` gets a copy of the weights, and beside it a JSON file of how they came about.
    """
    suite = run.suite
    sweep(run.store.root)
    if suite.table.networks[number].training is None:
        raise HeatmarkError(f"suite {suite.table.name}: networks[{number}] has no `training` that says how to train it")
    if out is not None and out.suffix != ".safetensors":
        raise HeatmarkError(f"--out {out}: expected a file that ends in .safetensors")
    trained = NetworkLoader.of(suite, number, run.store.networks, run.device, run.progress).load(retrain=True)[0]
    row = network_row(run, trained)
    if out is not None:
        about = {name: value for name, value in row.items() if name != "log"}
        about |= {"data": suite.dataset.fingerprint(), "torch": torch.__version__}
        write_trained(out, trained.network.module, {**about, "suite": suite.written, "log": json.loads(trained.log)})
    return row
