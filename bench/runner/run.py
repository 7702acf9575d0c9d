"""Carry out a suite: train or load, explain, score, store; skip every cell that is already there."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import torch

from bench.api import Attribution, ImageMetric, NetworkMetric, Scored
from bench.data.batches import Batch, batches, shards
from bench.errors import HeatmarkError
from bench.files import key_of, sweep
from bench.results.cell_store import CELL
from bench.results.finished_images import FinishedImages, failed
from bench.results.result_set import Results
from bench.runner.accuracy import network_row
from bench.runner.collect import Part, collect
from bench.runner.explain import Explainer
from bench.runner.identity import code_hash, identity
from bench.runner.networks import NetworkLoader, looked_at
from bench.runner.records import Run, Trained
from bench.runner.sample_heatmaps import gallery_of
from bench.runner.score import rows, score_across, score_one
from bench.runner.speed import tuned
from bench.training.checkpoints import write_trained

M = TypeVar("M", ImageMetric, NetworkMetric)
Pair = tuple[Attribution, M]
Score = Callable[[Sequence[Explainer], Batch, Sequence[Pair[M]]], dict[Pair[M], Scored]]


def run_suite(run: Run, *, retrain: bool = False) -> Results:
    """Compute every missing cell of the suite, store it, and gather all cells as a result set.

    With `retrain` networks are trained by their recipes even where weights are at hand.
    """
    suite = run.suite
    sweep(run.store.root)
    single = [metric for metric in suite.metrics if isinstance(metric, ImageMetric)]
    comparing = [metric for metric in suite.metrics if isinstance(metric, NetworkMetric)]
    parts: list[Part] = []
    networks, shown = [], []
    for number in range(len(suite.recipes)):
        ready = NetworkLoader(suite, number, run.store.networks, run.device, run.progress).load(retrain=retrain)
        group = [tuned(run, looked_at(run, trained)) for trained in ready]
        for trained in group:
            networks.append(network_row(run, trained))
            shown.append((trained, gallery_of(run, trained)))
            parts += _cells(run, [trained], _pairs(run, single), score_one)
        if comparing:
            parts += _cells(run, group, _pairs(run, comparing), score_across)
    return collect(run, parts, networks, shown, retrained=retrain)


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
    trained = NetworkLoader(suite, number, run.store.networks, run.device, run.progress).load(retrain=True)[0]
    row = network_row(run, trained)
    if out is not None:
        about = {name: value for name, value in row.items() if name != "log"}
        about |= {"data": suite.dataset.fingerprint(), "torch": torch.__version__}
        write_trained(out, trained.network.module, {**about, "suite": suite.written, "log": json.loads(trained.log)})
    return row


def _pairs(run: Run, metrics: Iterable[M]) -> list[Pair[M]]:
    return [(method, metric) for method in run.suite.attributions for metric in metrics]


def _cells(run: Run, group: Sequence[Trained], pairs: Sequence[Pair[M]], score: Score[M]) -> Iterator[Part]:
    """The cells of one network, or of a group that is compared, shard by shard: read, or computed and kept."""
    explainers = [Explainer(run, trained) for trained in group]
    for shard in shards(run.chosen(group[0].network, run.table.dataset.images)):
        ids = run.ids(shard)
        keys = {pair: key_of(identity(run, group, ids, *pair)) for pair in pairs}
        cells = run.cells(keys, ids)
        run.progress.advance(_bar(explainers), len(cells) * len(shard), len(pairs) * len(shard))
        if len(cells) < len(pairs):
            name = key_of(identity(run, group, ids))
            with run.store.lock(name, f"{_bar(explainers)}, images {ids[0]} to {ids[-1]}"):
                cells |= run.cells({pair: key for pair, key in keys.items() if pair not in cells}, ids)
                missing = {pair: key for pair, key in keys.items() if pair not in cells}
                cells |= _computed(explainers, shard, missing, score, name) if missing else {}
        for pair in pairs:
            # Kept until the run ends: many small arrays between large ones would leave holes that nothing fills.
            yield Part(group[0], *pair, pa.Table.from_pandas(cells[pair], CELL, preserve_index=False))


def _computed(
    explainers: Sequence[Explainer], shard: Sequence[int], keys: Mapping[Pair[M], str], score: Score[M], name: str
) -> dict[Pair[M], pd.DataFrame]:
    """The cells of a shard by these keys, computed from where a killed run has left off, and kept unless one failed.

    A run that was killed goes on with the same batches, methods and metrics together, so that the last bit of a score
    is the same.
    """
    run, network = explainers[0].run, explainers[0].network
    finished = FinishedImages(run.store, name, CELL, code_hash())
    todo = {
        tuple(part): own
        for part in run.batches_of(shard)
        if (own := [pair for pair, key in keys.items() if finished.lacks(key, run.ids(part))])
    }
    left = sum(len(part) * len(own) for part, own in todo.items())
    run.progress.advance(_bar(explainers), len(keys) * len(shard) - left)
    positions = [position for part in todo for position in part]
    coming = batches(run.dataset, run.split, positions, run.table.batch, network, run.device)
    for batch, pairs in zip(coming, todo.values(), strict=True):
        finished.add({keys[pair]: rows(batch.ids, own) for pair, own in score(explainers, batch, pairs).items()})
        run.progress.advance(_bar(explainers), len(pairs) * len(batch.ids))
    cells = {pair: finished.table(key, run.ids(shard)) for pair, key in keys.items()}
    # Before the first cell is written: the others would else be computed again without it, and rounded differently.
    finished.keep()
    for pair, key in keys.items():
        if not failed(cells[pair]).any():
            run.store.write(key, cells[pair], CELL, code_hash())
    finished.drop(list(keys.values()))
    return cells


def _bar(explainers: Sequence[Explainer]) -> str:
    return f"{explainers[0].network.name} by {explainers[0].network.recipe}"
