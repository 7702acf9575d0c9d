"""Carry out a suite: train or load, explain, score, store; skip every cell that is already there."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import torch

from bench.accuracy import ACCURACY, ROBUST_ACCURACY, accuracy_of, network_row, robust_accuracy_of
from bench.api import Attribution, Metric, NetworkMetric, PerturbationMetric
from bench.cells import Trained, Work, identity
from bench.checkpoints import write_trained
from bench.data import Batch, batches, load, shards, spread, usable
from bench.engine.audit import AUDIT, LOWER, PLAIN, Audit, audit
from bench.engine.chunks import remembered_chunk, remembered_compiler
from bench.errors import HeatmarkError
from bench.gallery import PICTURES, pictures
from bench.gather import Part, gathered
from bench.handed import Explained, Scored
from bench.progress import Progress
from bench.scoring import asked, explanations, rows, score_across, score_one
from bench.store import CELL, Results, Store, key_of
from bench.suite import Suite
from bench.zoo import networks_of

M = TypeVar("M", Metric, NetworkMetric)
Pair = tuple[Attribution, M]
Score = Callable[[Work, Sequence[Trained], Sequence[Batch | None], Batch, Sequence[Pair[M]]], dict[Pair[M], Scored]]


@dataclass(frozen=True)
class Run:
    """How a suite is carried out: where cells are kept, on which device, and who watches."""

    work: Work
    store: Store
    progress: Progress


def run(suite: Suite, store: Store, device: torch.device, progress: Progress, *, retrain: bool = False) -> Results:
    """Compute every missing cell of the suite, store it, and gather all cells as a result set.

    With `retrain` networks are trained by their recipes even where weights are at hand.
    """
    split = _split(suite)
    whole = Run(Work(suite, split, device), store, progress)
    single = [metric for metric in suite.metrics if isinstance(metric, Metric)]
    comparing = [metric for metric in suite.metrics if isinstance(metric, NetworkMetric)]
    parts: list[Part] = []
    networks, shown = [], []
    for number in range(len(suite.recipes)):
        ready = networks_of(suite, number, store.networks, device, progress, retrain=retrain)
        group = [
            _in_chunks(whole, _in_precision(whole, _compiled(whole, _in_chunks(whole, trained)))) for trained in ready
        ]
        for trained in group:
            networks.append(_row(whole, trained))
            shown.append((trained, _pictures(whole, trained)))
            parts += _cells(whole, [trained], _pairs(suite, single), score_one)
        if comparing:
            parts += _cells(whole, group, _pairs(suite, comparing), score_across)
    return gathered(suite, split, device, parts, networks, shown)


def train_one(
    suite: Suite, number: int, store: Store, device: torch.device, progress: Progress, out: Path | None
) -> dict[str, Any]:
    """Train one network of the suite and measure its accuracy; the row of the result set that tells of it.

    `out` gets a copy of the weights, and beside it a JSON file of how they came about.
    """
    whole = Run(Work(suite, _split(suite), device), store, progress)
    if suite.table.networks[number].training is None:
        raise HeatmarkError(f"suite {suite.table.name}: networks[{number}] has no `training` that says how to train it")
    if out is not None and out.suffix != ".safetensors":
        raise HeatmarkError(f"--out {out}: expected a file that ends in .safetensors")
    trained = networks_of(suite, number, store.networks, device, progress, retrain=True)[0]
    row = _row(whole, trained)
    if out is not None:
        about = {name: value for name, value in row.items() if name != "log"}
        about |= {"data": suite.dataset.fingerprint(), "torch": torch.__version__}
        write_trained(out, trained.network.module, {**about, "suite": suite.written, "log": json.loads(trained.log)})
    return row


def _split(suite: Suite) -> str:
    return suite.table.dataset.split or suite.dataset.splits[-1]


def _pairs(suite: Suite, metrics: Iterable[M]) -> list[Pair[M]]:
    return [(method, metric) for method in suite.attributions for metric in metrics]


def _cells(whole: Run, group: Sequence[Trained], pairs: Sequence[Pair[M]], score: Score[M]) -> Iterator[Part]:
    """The cells of one network, or of a group that is compared, shard by shard: read, or computed and kept."""
    work, name = whole.work, f"{group[0].network.name} by {group[0].recipe}"
    pools = [references(work, trained) for trained in group]
    for shard in shards(_chosen(work, group[0], work.table.dataset.images)):
        ids = _ids(work, shard)
        keys = {pair: key_of(identity(work, group, ids, *pair)) for pair in pairs}
        cells = {pair: cell for pair, key in keys.items() if (cell := whole.store.read(key)) is not None}
        whole.progress.advance(name, len(cells) * len(shard), len(pairs) * len(shard))
        missing = [pair for pair in pairs if pair not in cells]
        if missing:
            cells |= _computed(whole, group, pools, shard, missing, score, name)
            for pair in missing:
                if not cells[pair].status.str.startswith(("failed", "unsupported")).any():
                    whole.store.write(keys[pair], cells[pair], CELL)
        for pair in pairs:
            # Kept until the run ends: many small arrays between large ones would leave holes that nothing fills.
            yield Part(group[0], *pair, pa.Table.from_pandas(cells[pair], CELL, preserve_index=False))


def _computed(
    whole: Run,
    group: Sequence[Trained],
    pools: Sequence[Batch | None],
    shard: Sequence[int],
    pairs: Sequence[Pair[M]],
    score: Score[M],
    name: str,
) -> dict[Pair[M], pd.DataFrame]:
    work = whole.work
    parts: dict[Pair[M], list[pd.DataFrame]] = {pair: [] for pair in pairs}
    for batch in batches(work.dataset, work.split, shard, work.table.batch, group[0].network, work.device):
        for pair, scored in score(work, group, pools, batch, pairs).items():
            parts[pair].append(rows(batch.ids, scored))
        whole.progress.advance(name, len(pairs) * len(batch.ids), 0)
    return {pair: pd.concat(frames, ignore_index=True) for pair, frames in parts.items()}


def _row(whole: Run, trained: Trained) -> dict[str, object]:
    """The network's row of the result set, with what it gets right untouched and under attack."""
    table = whole.work.table
    attack, everywhere = table.attack, table.dataset.accuracy_images
    untouched = partial(accuracy_of, trained.network)
    attacked = partial(robust_accuracy_of, trained.network, attack=attack, seed=table.seed)
    under = f"accuracy under attack (epsilon {attack.epsilon}, {attack.steps} steps)"
    accuracy = _of_images(whole, trained, everywhere, "accuracy", ACCURACY, untouched)
    robust = _of_images(whole, trained, attack.images, under, ROBUST_ACCURACY, attacked)
    return network_row(trained, accuracy, robust)


def _of_images(
    whole: Run,
    trained: Trained,
    wanted: int | None,
    what: str,
    schema: pa.Schema,
    measured: Callable[[Batch], pd.DataFrame],
) -> pd.DataFrame:
    """What is measured of a network batch by batch, a row per image of the split."""
    work = whole.work
    chosen = _chosen(work, trained, wanted)
    name = f"{what} of {trained.network.name} by {trained.recipe}"

    def compute() -> pd.DataFrame:
        parts = []
        for batch in batches(work.dataset, work.split, chosen, work.table.batch, trained.network, work.device):
            parts.append(measured(batch))
            whole.progress.advance(name, len(batch.ids), 0)
        return pd.concat(parts, ignore_index=True)

    whole.progress.advance(name, 0, len(chosen))
    return _kept(whole, identity(work, [trained], _ids(work, chosen), what), schema, compute)


def _pictures(whole: Run, trained: Trained) -> pd.DataFrame:
    """A few images, their truth and their heatmaps by every method, as pictures."""
    work = whole.work
    chosen = _chosen(work, trained, work.table.dataset.images)
    shown = [chosen[i] for i in spread(len(chosen), work.table.gallery)] if work.table.gallery else []

    def compute() -> pd.DataFrame:
        batch = load(work.dataset, work.split, shown, trained.network, work.device)
        pool = references(work, trained)
        request, clean = asked(work, trained, pool, batch)
        return pictures(trained, batch, explanations(trained, request, clean, batch, pool, work.suite.attributions))

    if not shown:
        return pd.DataFrame(columns=PICTURES.names)
    parts = identity(work, [trained], _ids(work, shown), "pictures", *work.suite.attributions)
    return _kept(whole, parts, PICTURES, compute)


def _in_chunks(whole: Run, trained: Trained) -> Trained:
    file = whole.store.root / "chunks.json"
    chunk = remembered_chunk(trained.network, trained.architecture, whole.work.device, file)
    return replace(trained, network=replace(trained.network, chunk=chunk))


def _compiled(whole: Run, trained: Trained) -> Trained:
    file, wanted = whole.store.root / "chunks.json", whole.work.table.engine.compiler
    compiler = remembered_compiler(trained.network, trained.architecture, whole.work.device, file, wanted)
    return replace(trained, network=replace(trained.network, compiler=compiler))


def _in_precision(whole: Run, trained: Trained) -> Trained:
    """The network in the suite's precision, with the audits of what that and its compiler do to the scores."""
    work, table, compiler = whole.work, whole.work.table.engine, trained.network.compiler
    metrics = [metric for metric in work.suite.metrics if isinstance(metric, PerturbationMetric)]
    if (table.precision == "fp32" and compiler == "none") or not metrics:
        return trained
    chosen = _chosen(work, trained, work.table.dataset.images)
    sample = [chosen[i] for i in spread(len(chosen), table.audit_images)]

    def compute() -> pd.DataFrame:
        batch = load(work.dataset, work.split, sample, trained.network, work.device)
        pool = references(work, trained)
        request, clean = asked(work, trained, pool, batch)
        explained = explanations(trained, request, clean, batch, pool, work.suite.attributions).values()
        ready = [own for own in explained if isinstance(own, Explained)]
        tried = LOWER[work.device.type] if table.precision == "auto" else (table.precision,)
        tried = ("fp32", *tried) if table.precision == "auto" and compiler != "none" else tried
        return pd.DataFrame([asdict(audit(metrics, ready, precision, compiler)) for precision in tried])

    plugins = (*metrics, *work.suite.attributions)
    parts = identity(work, [trained], _ids(work, sample), "audit", *plugins, table.precision)
    audits = [Audit(*row) for row in _kept(whole, parts, AUDIT, compute).itertuples(index=False)]
    by_name = "auto" not in (table.precision, table.compiler)
    good = [own for own in audits if by_name or (own.passes(table.tolerance) and own.speed > 1)]
    best = max(good, key=lambda own: own.speed, default=PLAIN)
    records = tuple(own.record(table.tolerance) for own in audits)
    network = replace(trained.network, precision=best.precision, compiler=best.compiler)
    return replace(trained, network=network, audits=records)


def _kept(whole: Run, parts: dict[str, Any], schema: pa.Schema, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """A table from the store, or computed and kept there."""
    key = key_of(parts)
    table = whole.store.read(key)
    if table is None:
        table = compute()
        whole.store.write(key, table, schema)
    return table


def references(work: Work, trained: Trained) -> Batch | None:
    """A fixed pool of images that are not scored, evenly spaced over the first split that has some."""
    split = work.dataset.present[0]
    scored = set(_chosen(work, trained, work.table.dataset.images)) if work.shares_its_pool else set()
    others = [position for position in range(len(work.dataset.ids(split))) if position not in scored]
    pool = [others[i] for i in spread(len(others), work.table.dataset.references)]
    return load(work.dataset, split, pool, trained.network, work.device) if pool else None


def _chosen(work: Work, trained: Trained, wanted: int | None) -> list[int]:
    known = usable(work.dataset, work.split, trained.network)
    return [known[i] for i in spread(len(known), wanted)]


def _ids(work: Work, positions: Sequence[int]) -> list[str]:
    ids = work.dataset.ids(work.split)
    return [ids[position] for position in positions]
