"""Carry out a suite image by image, and leave off what is decided."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from bench.errors import HeatmarkError
from bench.files import sweep
from bench.progress import CELLS
from bench.racing.decisions import Stop, decisions
from bench.results.cell_store import CELL
from bench.results.result_set import Results
from bench.runner.accuracy import network_row
from bench.runner.blocks import Block, Pair, blocks_on
from bench.runner.collect import Part, collect, scores_alone
from bench.runner.records import Run, Trained
from bench.runner.run import ready_networks
from bench.runner.sample_heatmaps import gallery_of
from bench.sequential.looks import image_order, look_counts
from bench.statistics.build import entry_board
from bench.statistics.paired_tests import ALPHA
from bench.suites.load import Suite

KINDS = ("methods", "protocols")


@dataclass
class Race:
    """A suite on its way: the networks of each entry with the positions of their images in order, and what is done.

    `looks` are the counts of images at which it is decided what is left off, for the entry that knows most images; one
    that knows fewer has come to the same share of them.
    """

    run: Run
    groups: list[list[Trained]]
    positions: list[list[int]]
    looks: tuple[int, ...]
    parts: list[Part] = field(default_factory=list)
    stopped: list[Stop] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run, groups: list[list[Trained]]) -> "Race":
        """The race of these networks, before its first image."""
        positions = [in_order(run, group) for group in groups]
        return cls(run, groups, positions, look_counts(max(map(len, positions))))

    def blocks(self, look: int) -> list[Block]:
        """What is to be computed before a look, by what has been left off at those before it."""
        found: list[Block] = []
        for group, positions in zip(self.groups, self.positions, strict=True):
            first = self._share(self.looks[look - 1], positions) if look else 0
            part = positions[first : self._share(self.looks[look], positions)]
            found += blocks_on(self.run, group, part, self.pairs(group))
        return found

    def pairs(self, group: Sequence[Trained]) -> list[Pair]:
        """The cells of the networks of an entry that go on."""
        own = (group[0].network.name, group[0].recipe)
        gone = {
            (stop.attribution, stop.metric)
            for stop in self.stopped
            if not stop.attribution or (stop.network, stop.recipe) == own
        }
        return [
            (method, metric)
            for method in self.run.suite.attributions
            for metric in self.run.suite.metrics
            if gone.isdisjoint([(method.label, ""), ("", metric.label), (method.label, metric.label)])
        ]

    def left(self, count: int) -> int:
        """Images x cells that come after so many images, if no more is left off."""
        rest = [len(p) - self._share(count, p) for p in self.positions]
        return sum(count * len(self.pairs(g)) * len(g) for count, g in zip(rest, self.groups, strict=True))

    def add(self, blocks: Sequence[Block]) -> None:
        """The cells of these blocks: read, or computed."""
        for block in blocks:
            for pair, cell in block.cells().items():
                self.parts.append(Part(block.group[0], *pair, pa.Table.from_pandas(cell, CELL, preserve_index=False)))

    def decide(self, half_width: float | None) -> None:
        """Leave off what is decided by what is there."""
        board = entry_board(scores_alone(self.run.suite, self.parts, {"decided": {"looks": list(self.looks)}}))
        self.stopped += decisions(board, self.stopped, half_width)

    def record(self, half_width: float | None) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "looks": list(self.looks),
            "alpha": ALPHA,
            "half_width": half_width,
            "stopped": [asdict(stop) for stop in self.stopped],
        }

    def _share(self, count: int, positions: Sequence[int]) -> int:
        return -(-count * len(positions) // self.looks[-1])


def in_order(run: Run, group: Sequence[Trained]) -> list[int]:
    """The positions of an entry's images in the order in which they come, which their ids alone decide."""
    chosen = run.chosen(group[0].network, run.table.dataset.images)
    return [chosen[number] for number in image_order(run.ids(chosen))]


def race_blocks(run: Run, group: list[Trained]) -> list[Block]:
    """All blocks that a race of these networks may come to."""
    race = Race.of(run, [group])
    return [block for look in range(len(race.looks)) for block in race.blocks(look)]


def check_places(suite: Suite) -> None:
    """Raises HeatmarkError for a suite whose question is none of methods: it has no places to decide."""
    if suite.table.question not in KINDS:
        raise HeatmarkError(
            f"--decide: suite {suite.table.name} asks about {suite.table.question}; expected one about methods"
        )


def run_decided(run: Run, *, half_width: float | None = None, retrain: bool = False) -> Results:
    """Compute what it takes to decide the places of the methods, store it, and gather it as a result set.

    Images come in the order of `bench.sequential.looks`; at fixed counts of them, everything that is decided is left
    off. What is in the store is read, so that an interrupted race goes on and decides the same. HeatmarkError for a
    suite whose question is none of methods.
    """
    suite = run.suite
    check_places(suite)
    sweep(run.store.root)
    race = Race.of(run, [ready_networks(run, number, retrain=retrain) for number in range(len(suite.recipes))])
    run.progress.advance(CELLS, 0, race.left(0))
    for look, count in enumerate(race.looks):
        race.add(race.blocks(look))
        before = race.left(count)
        if before:
            race.decide(half_width)
        run.progress.advance(CELLS, 0, race.left(count) - before)
        if not race.left(count):
            break
    everyone = [trained for group in race.groups for trained in group]
    networks = [network_row(run, trained) for trained in everyone]
    shown = [(trained, gallery_of(run, trained)) for trained in everyone]
    results = collect(run, race.parts, networks, shown, retrained=retrain)
    results.manifest["decided"] = race.record(half_width)
    return results
