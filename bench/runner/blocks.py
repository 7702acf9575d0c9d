"""The cells of one network, or of a group that is compared, on one shard of images: listed, computed, gathered."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pandas as pd

from bench.api import Attribution, ImageMetric, NetworkMetric, Scored
from bench.data.batches import SHARD, Batch, batches, evenly_spaced, shards, worked_on
from bench.files import key_of
from bench.progress import CELLS
from bench.results.cell_store import CELL
from bench.results.finished_images import FinishedImages, failed
from bench.runner.explain import Explainer
from bench.runner.identity import code_hash, identity, keys_of
from bench.runner.records import Run, Trained
from bench.runner.score import rows, score_across, score_one

Pair = tuple[Attribution, Any]
Failure = dict[str, Any]  # network, recipe, attribution, metric, status and how many images
Score = Callable[[Sequence[Explainer], Batch, Sequence[Pair]], dict[Pair, Scored]]


@dataclass(frozen=True, eq=False)
class Block:
    """All cells of a group of networks on one shard: one for each attribution and metric."""

    explainers: tuple[Explainer, ...]
    shard: tuple[int, ...]
    pairs: tuple[Pair, ...]
    score: Score

    @property
    def run(self) -> Run:
        """The run that it belongs to."""
        return self.explainers[0].run

    @property
    def group(self) -> list[Trained]:
        """The networks."""
        return [explainer.trained for explainer in self.explainers]

    @property
    def label(self) -> str:
        """The network and its recipe."""
        return f"{self.group[0].network.name} by {self.group[0].recipe}"

    @cached_property
    def ids(self) -> list[str]:
        """The ids of the shard's images."""
        return self.run.ids(self.shard)

    @cached_property
    def name(self) -> str:
        """A key for these networks on these images, whatever explains and scores them."""
        return key_of(identity(self.run, self.group, self.ids))

    @cached_property
    def keys(self) -> dict[Pair, str]:
        """The key of each cell."""
        return dict(zip(self.pairs, keys_of(self.run, self.group, self.ids, self.pairs), strict=True))

    @property
    def batches(self) -> list[tuple[int, ...]]:
        """The positions that are explained and scored together."""
        return [tuple(part) for part in self.run.batches_of(self.shard)]

    def lock_name(self) -> str:
        """What is said while another run works on it."""
        return f"{self.label}, images {self.ids[0]} to {self.ids[-1]}"

    def heatmap_keys(self) -> Iterator[str]:
        """The keys under which the store may keep the heatmaps of its batches."""
        for part in self.batches:
            for explainer in self.explainers:
                yield from explainer.keys(self.run.ids(part), _methods(self.pairs)).values()

    def unexplained(self, trained: Trained, part: Sequence[int], pairs: Sequence[Pair]) -> list[Attribution]:
        """The methods of these pairs that still have to explain a batch of this network, by the names of files."""
        (explainer,) = [own for own in self.explainers if own.trained is trained]
        keys = explainer.keys(self.run.ids(part), _methods(pairs))
        return [method for method, key in keys.items() if not self.run.store.heatmaps.has(key)]

    def stored(self) -> dict[Pair, pd.DataFrame]:
        """The cells that are in the store."""
        return self.run.cells(self.keys, self.ids)

    def compute(self, chosen: Sequence[int], part: str) -> list[Failure]:
        """The images of some batches, by number, for the cells that lack them, kept as a part of its own; what failed.

        Failures are kept for the process that gathers, and tried again here.
        """
        missing = {pair: key for pair, key in self.keys.items() if pair not in self.stored()}
        with self.run.store.lock(f"{self.name}-{part}", self.lock_name()):
            finished = FinishedImages(self.run.store, f"{self.name}-{part}", CELL, code_hash())
            finished.forget_failures()
            self._add(finished, missing, [self.batches[number] for number in chosen])
            finished.keep(failures=True)
        return list(self._failures(finished))

    def _failures(self, finished: FinishedImages) -> Iterator[Failure]:
        labels = {key: (method.label, metric.label) for (method, metric), key in self.keys.items()}
        for key, frames in finished.rows.items():
            statuses = pd.concat([frame[failed(frame)] for frame in frames]).status.value_counts()
            for status, images in statuses.items():
                names = dict(zip(("attribution", "metric"), labels[key], strict=True))
                about = {"network": self.group[0].network.name, "recipe": self.group[0].recipe}
                yield {**about, **names, "status": status, "images": int(images)}

    def give_up(self, chosen: Sequence[int], reason: str) -> None:
        """Rows with this status for the images of some batches, in this run alone: the next one tries them again."""
        ids = [image for number in chosen for image in self.run.ids(self.batches[number])]
        for key in self.keys.values():
            self.run.given_up.setdefault(key, {}).update(dict.fromkeys(ids, reason))

    def cells(self) -> dict[Pair, pd.DataFrame]:
        """All cells: read, gathered from parts of other processes, or computed from where a killed run has left off.

        A run that was killed goes on with the same batches, methods and metrics together, so that the last bit of a
        score is the same. HeatmarkError where something is missing that the run may not compute.
        """
        cells = self.stored()
        self.run.progress.advance(CELLS, len(cells) * len(self.shard), known=True, stage=self.label)
        if len(cells) == len(self.pairs):
            return cells
        with self.run.store.lock(self.name, self.lock_name()):
            cells |= self.run.cells({pair: key for pair, key in self.keys.items() if pair not in cells}, self.ids)
            missing = {pair: key for pair, key in self.keys.items() if pair not in cells}
            return cells | self._finish(missing)

    def unwritten(self) -> dict[Pair, str]:
        """The keys of cells that are not in the store, seen by the names of files; parts of them may be finished."""
        return {pair: key for pair, key in self.keys.items() if not self.run.store.has(key)}

    def lacking(self) -> int:
        """How many cells are neither in the store nor can be gathered from parts."""
        return len({pair for _, pairs in self.todo() for pair in pairs})

    def todo(self) -> list[tuple[tuple[int, ...], tuple[Pair, ...]]]:
        """The batches with what each still lacks, seen by the names of files: no cell is read."""
        missing = self.unwritten()
        if not missing:
            return []
        finished, whole = self._with_parts(), tuple(missing)
        if not finished.images:
            return [(part, whole) for part in self.batches]
        return [
            (part, own)
            for part in self.batches
            if (own := tuple(pair for pair, key in missing.items() if finished.lacks(key, self.run.ids(part))))
        ]

    def _finish(self, missing: Mapping[Pair, str]) -> dict[Pair, pd.DataFrame]:
        if not missing:
            return {}
        run, finished = self.run, self._with_parts()
        for key in missing.values():
            reasons = run.given_up.get(key, {})
            lost = [image for image in reasons if finished.lacks(key, [image])]
            if lost:
                finished.add({key: rows(lost, Scored.none([reasons[image] for image in lost]))})
        self._add(finished, missing, self.batches)
        cells = {pair: finished.table(key, self.ids) for pair, key in missing.items()}
        # Before the first cell is written: the others would else be computed again without it, and rounded differently.
        finished.keep()
        for pair, key in missing.items():
            if not failed(cells[pair]).any():
                run.store.write(key, cells[pair], CELL, code_hash())
        # What failed elsewhere is kept there, so that it can be gathered again.
        finished.drop([key for pair, key in missing.items() if not (run.gathers and failed(cells[pair]).any())])
        return cells

    def _with_parts(self) -> FinishedImages:
        finished = FinishedImages(self.run.store, self.name, CELL, code_hash())
        finished.take_parts(failures=self.run.gathers)
        return finished

    def _add(self, finished: FinishedImages, missing: Mapping[Pair, str], parts: Sequence[tuple[int, ...]]) -> None:
        """The rows of some batches that are not there yet."""
        run, network = self.run, self.explainers[0].network
        todo = {
            part: own
            for part in parts
            if (own := [pair for pair, key in missing.items() if finished.lacks(key, run.ids(part))])
        }
        known = sum(len(part) * len(missing) for part in parts) - sum(len(p) * len(own) for p, own in todo.items())
        run.progress.advance(CELLS, known, known=True, stage=self.label)
        positions = [position for part in todo for position in part]
        coming = batches(run.dataset, run.split, positions, run.table.batch, network, run.device)
        pairs = iter(todo.values())
        for batch, scored in worked_on(coming, lambda batch: self.score(self.explainers, batch, next(pairs))):
            finished.add({missing[pair]: rows(batch.ids, own) for pair, own in scored.items()})
            run.progress.advance(CELLS, len(scored) * len(batch.ids), stage=self.label)


def _methods(pairs: Sequence[Pair]) -> list[Attribution]:
    return [*dict.fromkeys(method for method, _ in pairs)]


def for_first_targets(explainers: tuple[Explainer, ...]) -> tuple[Explainer, ...]:
    """The same, each for the targets of the first one's network."""
    first, *others = explainers
    return (first, *(replace(own, kept_of=(first.trained, own.trained)) for own in others))


def blocks_of(run: Run, group: Sequence[Trained]) -> Iterator[Block]:
    """The blocks of the networks of one entry: of each by itself, and of all together for metrics that compare them."""
    methods, metrics = run.suite.attributions, run.suite.metrics
    single = tuple((method, metric) for method in methods for metric in metrics if isinstance(metric, ImageMetric))
    across = tuple((method, metric) for method in methods for metric in metrics if isinstance(metric, NetworkMetric))
    explainers = tuple(Explainer(run, trained, (trained,)) for trained in group)
    positions = [run.chosen(trained.network, run.table.dataset.images) for trained in group]
    for explainer, chosen in zip(explainers, positions, strict=True):
        for shard in shards(chosen) if single else []:
            yield Block((explainer,), tuple(shard), single, score_one)
    compared = for_first_targets(explainers)
    for shard in shards(positions[0]) if across else []:
        yield Block(compared, tuple(shard), across, score_across)


def blocks_on(run: Run, group: Sequence[Trained], positions: Sequence[int], pairs: Sequence[Pair]) -> Iterator[Block]:
    """The blocks of some cells of the networks of one entry, on these images in this order."""
    single = tuple(pair for pair in pairs if isinstance(pair[1], ImageMetric))
    across = tuple(pair for pair in pairs if isinstance(pair[1], NetworkMetric))
    explainers = tuple(Explainer(run, trained, (trained,)) for trained in group)
    compared = for_first_targets(explainers)
    parts = [tuple(positions[start : start + SHARD]) for start in range(0, len(positions), SHARD)]
    for part in parts:
        if single:
            yield from (Block((explainer,), part, single, score_one) for explainer in explainers)
        if across:
            yield Block(compared, part, across, score_across)


def expected_work(run: Run, number: int) -> int:
    """Images x cells of an entry before its networks are ready: of those that know the label of every image."""
    table, metrics = run.table.networks[number], run.suite.metrics
    wanted = run.table.dataset.images
    images = len(evenly_spaced(len(run.dataset.ids(run.split)), wanted))
    across = sum(isinstance(metric, NetworkMetric) for metric in metrics)
    return images * len(run.suite.attributions) * ((len(metrics) - across) * len(table.seeds) + across)
