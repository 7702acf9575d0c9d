"""Published boards raced in orders drawn by chance: what a race says, and the passes through networks that it takes."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from bench.api import Network, Preprocess
from bench.parallel.costs import Costs
from bench.racing.replay import replay
from bench.results.result_set import read_results
from bench.statistics.board import Board
from bench.statistics.build import entry_board
from bench.statistics.means import Array, Counts
from bench.statistics.metric_audit import audited
from bench.statistics.scale import runs_of
from bench.suites.load import load_suite
from tests.support.published import RESULTS


@dataclass(frozen=True)
class Order:
    """How a race compares with the full run: groups on every network, first places, and its share of the passes."""

    same_groups: bool
    same_first: bool
    passes: float

    @property
    def good(self) -> bool:
        """Whether it gives the same answer for a third of the passes or less."""
        return self.same_groups and self.same_first and self.passes <= 1 / 3


def raced(name: str, orders: int, seed: int = 0) -> list[Order]:
    """Races of a published board, its images in so many orders drawn by chance."""
    board = entry_board(read_results(RESULTS / name))
    costs, full, rng = Passes.of(name, board), verdict(board), np.random.default_rng(seed)
    everything = costs.of_cells(np.full(board.scores.shape[:2], len(board.images)))
    found = []
    for _ in range(orders):
        order = rng.permutation(len(board.images))
        images = tuple(board.images[number] for number in order)
        ended = replay(replace(board, scores=board.scores[..., order], images=images)).board
        own = verdict(ended)
        assert ended.stops is not None
        found.append(
            Order(
                own == full,
                [next(iter(one)) for one in own] == [next(iter(one)) for one in full],
                costs.of_cells(ended.stops) / everything,
            )
        )
    return found


def verdict(board: Board) -> list[dict[str, str]]:
    """On each network the letters of each method's groups, the first method first."""
    distrusted = audited(board).distrusted
    found = []
    for rows in runs_of(board.entries):
        own = replace(board.rows(rows), distrusted=distrusted)
        names = own.entries.attribution[own.overall.rows]
        found.append(dict(zip(names, own.overall.letters, strict=True)))
    return found


@dataclass(frozen=True)
class Passes:
    """Passes for each image, forward and backward, as plug-ins declare them.

    `scores` (entry, metric) beside the `explanations` (entry,) that are scored, and the predictions of each of the
    `networks` (rows of entries), which all entries on it share.
    """

    scores: Array
    explanations: Array
    predictions: int
    networks: list[list[int]]

    @classmethod
    def of(cls, name: str, board: Board) -> "Passes":
        """Those of a shipped suite for the entries and metrics of its board."""
        suite = load_suite(name)
        size = suite.table.networks[0].preprocess.size
        module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 10))
        costs = Costs(Network(module.eval(), preprocess=Preprocess(size=size)), torch.device("cpu"))
        methods = {method.label: method for method in suite.attributions}
        metrics = {metric.label: metric for metric in suite.metrics}
        entries = [methods[label] for label in board.entries.attribution]
        columns = [metrics[label] for label in board.metrics.metric]

        def count(cost: object) -> int:
            return cost.forward + cost.backward  # type: ignore[attr-defined]

        return cls(
            np.array([[count(costs.score(metric, method)) for metric in columns] for method in entries], float),
            np.array([count(costs.explanation(method)) for method in entries], float),
            1 + costs.ends(columns, 1),
            runs_of(board.entries),
        )

    def of_cells(self, images: Counts) -> float:
        """All passes for so many images of each cell, (entry, metric)."""
        explained = images.max(1)
        shared = sum(self.predictions * int(explained[rows].max()) for rows in self.networks)
        return float((self.scores * images).sum() + self.explanations @ explained + shared)
