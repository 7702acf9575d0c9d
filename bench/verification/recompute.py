"""Recompute a random sample of the cells of a result set here, and compare."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from bench._version import version
from bench.api import OK, Attribution, ImageMetric, NetworkMetric
from bench.data.batches import SHARD, batches
from bench.errors import HeatmarkError
from bench.results.result_set import Results
from bench.runner.collect import machine
from bench.runner.explain import Explainer
from bench.runner.identity import code_hash
from bench.runner.networks import Missing, NetworkLoader
from bench.runner.records import Run, Trained
from bench.runner.score import rows, score_across, score_one
from bench.scoring.protocols import as_stamped
from bench.verification.published_weights import file_of

# What the same code on the same kind of machine may differ by: other images go through the network together.
SAME_MACHINE = 1e-5


@dataclass(frozen=True)
class Entry:
    """One cell's worth of a result set: a network of a recipe and seed, an attribution, a metric, a shard."""

    network: str
    recipe: str
    seed: int
    shard: int
    attribution: str
    metric: str

    def __str__(self) -> str:
        where = f"{self.network} by {self.recipe}, seed {self.seed}"
        return f"{where}: {self.attribution}, {self.metric}, shard {self.shard}"


@dataclass(frozen=True)
class Finding:
    """What was found of a cell: `same`, `differs`, `left` (measures the machine), `cannot`; and why, in one line."""

    entry: Entry
    verdict: str
    reason: str


def origin(manifest: Mapping[str, Any], device: torch.device) -> str:
    """One line: which code and machine made the set, and what it is recomputed by."""
    versions = manifest.get("versions", {})
    made, here = str(manifest.get("code", "unknown")), code_hash()
    by = f"made by heatmark {versions.get('heatmark')}, torch {versions.get('torch')}, code {made[:12]}"
    if made != here or versions.get("torch") != torch.__version__:
        return f"{by}; recomputed by other code: heatmark {version}, torch {torch.__version__}, code {here[:12]}"
    if not made_here(manifest, device):
        return f"{by}: the same as here, on another machine ({manifest.get('device')}, {manifest.get('machine')})"
    return f"{by}: the same as here, on such a machine"


def stamps_of(results: Results) -> dict[str, str]:
    """The protocol that the scores of each metric of a set are stamped with."""
    found = results.scores[["metric", "protocol"]].astype(str).drop_duplicates()
    return dict(found.itertuples(index=False))


def made_here(manifest: Mapping[str, Any], device: torch.device) -> bool:
    """Whether a set was made by the code that is here, on a machine that rounds alike."""
    made = [manifest.get("code"), manifest.get("versions", {}).get("torch"), manifest.get("device")]
    same = made == [code_hash(), torch.__version__, device.type]
    return same and manifest.get("machine") == machine(device)


def cells_of(results: Results, run: Run) -> pd.DataFrame:
    """The cells of a set, so that those of a network and shard follow each other."""
    positions, images = _positions(run), results.scores["image"].astype(str)
    unknown = sorted(set(images) - positions.keys())
    if unknown:
        raise HeatmarkError(f"{run.dataset.name} {run.split!r} has no image {unknown[0]} here")
    table = results.scores.assign(shard=images.map(positions) // SHARD)
    columns = ["network", "recipe", "seed", "shard", "attribution", "metric"]
    return table[columns].astype({"shard": int}).drop_duplicates().sort_values(columns)


def sample_of(cells: pd.DataFrame, share: float, seed: int) -> list[Entry]:
    """A random share of some cells, one at least, in their order."""
    return _sampled(cells, _count(cells, share), np.random.default_rng(seed))


def sample_of_few_networks(cells: pd.DataFrame, share: float, seed: int) -> list[Entry]:
    """As many cells, of as few networks, with all their seeds, as have so many: others need not be trained."""
    count, chance = _count(cells, share), np.random.default_rng(seed)
    numbers = cells.groupby(["network", "recipe"], observed=True).ngroup()
    order = chance.permutation(numbers.max() + 1)
    held = numbers.value_counts()[order].cumsum()
    return _sampled(cells[numbers.isin(order[: held.searchsorted(count) + 1])], count, chance)


def _count(cells: pd.DataFrame, share: float) -> int:
    return max(1, round(share * len(cells)))


def _sampled(cells: pd.DataFrame, count: int, chance: np.random.Generator) -> list[Entry]:
    chosen = np.sort(chance.choice(len(cells), count, replace=False))
    return [Entry(*row) for row in cells.iloc[chosen].itertuples(index=False)]


def recomputed(
    results: Results, run: Run, entries: Sequence[Entry], folder: Path, if_missing: Missing
) -> Iterator[Finding]:
    """What is found of each of these cells of the set in `folder`, in their order.

    Networks that neither the set carries nor the store has are trained and kept there, or their cells are refused.
    """
    for (network, recipe), own in groupby(entries, lambda entry: (entry.network, entry.recipe)):
        mine = list(own)
        try:
            group = _networks(results, run, network, recipe, folder, if_missing)
        except HeatmarkError as error:
            yield from (Finding(entry, "cannot", str(error)) for entry in mine)
            continue
        for (seed, _), cells in groupby(mine, lambda entry: (entry.seed, entry.shard)):
            trained = [one for one in group if one.seed == seed]
            yield from _of_shard(results, run, group, trained, list(cells))


def _networks(
    results: Results, run: Run, network: str, recipe: str, folder: Path, if_missing: Missing
) -> list[Trained]:
    """The networks of an entry of the suite as they were explained; HeatmarkError where they are not at hand."""
    manifest = results.manifest
    number = run.suite.number_of(network, recipe)
    loader = NetworkLoader.of(run.suite, number, run.store.networks, run.device, run.progress, if_missing)
    rows_of = results.networks["network"].eq(network) & results.networks["recipe"].eq(recipe)
    own = results.networks[rows_of].set_index("seed")["weights"].astype(str)
    group = []
    for trained in _published(loader, own, folder) or loader.load(retrain=bool(manifest.get("retrained", False))):
        if own.get(trained.seed) != trained.weights:
            raise HeatmarkError(f"seed {trained.seed} has other weights here than in the set")
        about: Mapping[str, Any] = next(
            (a for a in manifest.get("networks", []) if a["weights"] == trained.weights), {}
        )
        names = ("chunk", "precision", "compiler", "tolerance")
        settings = {name: about[name] for name in names if name in about}
        group.append(replace(trained, network=replace(trained.network, **settings)))
    return group


def _published(loader: NetworkLoader, weights: "pd.Series[str]", folder: Path) -> list[Trained]:
    """The networks of an entry from weights that the set carries, by seed; none where it lacks one."""
    files = {seed: folder / file_of(own) for seed, own in weights.items()}
    if loader.table.training is None or not all(path.exists() for path in files.values()):
        return []
    tables = [loader.table.model_copy(update={"weights": str(path), "seeds": [seed]}) for seed, path in files.items()]
    return [trained for table in tables for trained in replace(loader, table=table).load()]


def _of_shard(
    results: Results, run: Run, group: Sequence[Trained], trained: Sequence[Trained], entries: Sequence[Entry]
) -> Iterator[Finding]:
    methods = {method.label: method for method in run.suite.attributions}
    stamps = stamps_of(results)
    metrics = {metric.label: as_stamped(metric, stamps.get(metric.label, "")) for metric in run.suite.metrics}
    known = [entry for entry in entries if entry.attribution in methods and entry.metric in metrics]
    pairs = {entry: (methods[entry.attribution], metrics[entry.metric]) for entry in known}
    strict = made_here(results.manifest, run.device)
    images = {image for entry in entries for image in _in_set(results, run, entry)["image"]}
    positions = sorted(_positions(run)[image] for image in images)
    here = _scores(run, group, trained, positions, [pair for pair in pairs.values() if not _is_machine_bound(pair)])
    for entry in entries:
        if entry not in pairs or not trained:
            yield Finding(entry, "cannot", "the suite in the manifest does not have it")
        elif _is_machine_bound(pairs[entry]):
            yield Finding(entry, "left", "it measures the machine")
        else:
            own, found = _in_set(results, run, entry), here[pairs[entry]]
            if "decided" in results.manifest:  # it may have been left off before others
                found = found[found["image"].isin(own["image"])]
            yield _compared(entry, own, found, pairs[entry], strict=strict)


Pair = tuple[Attribution, ImageMetric | NetworkMetric]


def _scores(
    run: Run, group: Sequence[Trained], trained: Sequence[Trained], positions: Sequence[int], pairs: Sequence[Pair]
) -> dict[Pair, pd.DataFrame]:
    """Scores of these images as rows of a cell, by pair."""
    single = [(method, metric) for method, metric in pairs if isinstance(metric, ImageMetric)]
    across = [(method, metric) for method, metric in pairs if isinstance(metric, NetworkMetric)]
    parts: dict[Pair, list[pd.DataFrame]] = {pair: [] for pair in pairs}
    network = group[0].network
    for batch in batches(run.dataset, run.split, positions, run.table.batch, network, run.device) if pairs else []:
        if single and trained:
            scored = score_one([Explainer(run, trained[0])], batch, single)
            for pair, own in scored.items():
                parts[pair].append(rows(batch.ids, own))
        if across:
            compared = score_across([Explainer(run, one) for one in group], batch, across)
            for among, own in compared.items():
                parts[among].append(rows(batch.ids, own))
    return {pair: pd.concat(own, ignore_index=True) for pair, own in parts.items() if own}


def _compared(entry: Entry, there: pd.DataFrame, here: pd.DataFrame, pair: Pair, *, strict: bool) -> Finding:
    """The cell in the set beside the cell made here; `strict` where both were made alike."""
    both = there.merge(here, on="image", suffixes=("", "_here"), how="outer")
    failed = both["status_here"].astype(str).str.startswith(("failed", "unsupported"))
    if failed.any() and isinstance(pair[1], NetworkMetric):
        return Finding(entry, "cannot", str(both["status_here"][failed].iloc[0]))
    allowed = SAME_MACHINE if strict else max(pair[0].rounding, pair[1].rounding)
    apart = (both["score"] - both["score_here"]).abs()
    fine = both["status"].astype(str).eq(both["status_here"].astype(str)) & (
        both["status"].ne(OK) | apart.le(allowed * both["score"].abs().clip(lower=1))
    )
    if fine.all():
        return Finding(entry, "same", f"{len(both)} images, {apart.max():.1g} apart at most")
    worst = both[~fine].iloc[0]
    said, found = (_told(worst, suffix) for suffix in ("", "_here"))
    return Finding(entry, "differs", f"image {worst['image']}: {said} in the set, {found} here")


def _told(row: "pd.Series[Any]", suffix: str) -> str:
    status = row[f"status{suffix}"]
    return f"{row[f'score{suffix}']:.9g}" if status == OK else f"no score ({status})"


def _in_set(results: Results, run: Run, entry: Entry) -> pd.DataFrame:
    """The rows of the set's cell whose images lie in the entry's shard."""
    own = results.scores
    for column in ("network", "recipe", "seed", "attribution", "metric"):
        own = own[own[column].eq(getattr(entry, column))]
    own = own[["image", "score", "status"]].astype({"image": str, "status": str})
    return own[own["image"].map(_positions(run)) // SHARD == entry.shard]


def _is_machine_bound(pair: Pair) -> bool:
    return isinstance(pair[1], ImageMetric) and pair[1].machine_bound


def _positions(run: Run) -> dict[str, int]:
    """The position of each image of the split."""
    return {image: position for position, image in enumerate(run.dataset.ids(run.split))}
