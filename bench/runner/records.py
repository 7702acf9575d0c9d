"""The records that travel through a run: how the suite is carried out, and a network ready to be explained."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import torch
from torch import Tensor

from bench.api import Dataset, Network, Recipe
from bench.data.batches import Batch, evenly_spaced, load, usable
from bench.engine.memory_limit import MemoryLimit
from bench.files import key_of
from bench.progress import Progress
from bench.results.cell_store import Store
from bench.suites.load import Suite
from bench.suites.schema import SuiteTable
from bench.training.hyperparameters import Training

T = TypeVar("T")


@dataclass(frozen=True)
class Trained:
    """A network ready to be explained, and what decides its cells.

    `code` is a hash of somebody's own code that builds it. `training` is how the suite trains it, None where it comes
    as weights; `train_again` makes such a network on another data set, by another recipe than its own if not None.
    `look` names the promises it keeps (`bench.checks.network_promises`).
    `source` says which weights they are, `categories` what the outputs are called, where their library says so.
    """

    network: Network
    architecture: str
    recipe: str
    seed: int
    weights: str
    log: str
    code: str = ""
    training: Training | None = None
    train_again: Callable[[Dataset, Recipe | None], Network] | None = None
    audits: tuple[dict[str, Any], ...] = ()
    look: tuple[str, ...] = ()
    source: str = ""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """How a suite is carried out: where cells are kept, on which device, and who watches.

    `given_up`: by the key of a cell, why some of its images could not be had from other processes; `untold`: by the
    number of an entry, why the accuracy and the pictures of its networks could not. A run that `gathers` takes what
    failed in other processes as their answer; else it is tried again. One that is to `keep_heatmaps` keeps those that
    it computes; what is kept is read by every run. `memory`: bytes that each process may take.
    """

    suite: Suite
    store: Store
    device: torch.device
    progress: Progress
    given_up: dict[str, dict[str, str]] = field(default_factory=dict)
    untold: dict[int, str] = field(default_factory=dict)
    gathers: bool = False
    keep_heatmaps: bool = False
    memory: int | None = None

    @property
    def dataset(self) -> Dataset:
        """The data set of the suite."""
        return self.suite.dataset

    @property
    def table(self) -> SuiteTable:
        """The settings of the suite."""
        return self.suite.table

    @property
    def split(self) -> str:
        """The split that is scored: the suite's, or else the data set's last."""
        return self.table.dataset.split or self.dataset.splits[-1]

    @property
    def memory_limit(self) -> MemoryLimit | None:
        """The memory of a process, and what it holds of a batch; None where nobody limits it."""
        if self.memory is None:
            return None
        return MemoryLimit(self.memory, self.table.batch, len(self.suite.attributions))

    @property
    def shares_its_pool(self) -> bool:
        """Whether the reference images are taken from the split that is scored, and so depend on what is."""
        return self.dataset.present[0] == self.split

    def targets(self, clean: Tensor, outputs: Tensor) -> Tensor:
        """What is explained (batch,) by the suite's rule: the `clean` logits' largest, or the labels' `outputs`."""
        return clean.argmax(1) if self.table.target == "predicted" else outputs

    def chosen(self, network: Network, wanted: int | None) -> list[int]:
        """The positions of `wanted` images of the split that the network knows, evenly spaced; None for all."""
        known = usable(self.dataset, self.split, network)
        return [known[i] for i in evenly_spaced(len(known), wanted)]

    def ids(self, positions: Sequence[int]) -> list[str]:
        """The ids of images of the split."""
        ids = self.dataset.ids(self.split)
        return [ids[position] for position in positions]

    def references(self, network: Network) -> Batch | None:
        """A fixed pool of images that are not scored, evenly spaced over the first split that has some."""
        split = self.dataset.present[0]
        scored = set(self.chosen(network, self.table.dataset.images)) if self.shares_its_pool else set()
        others = [position for position in range(len(self.dataset.ids(split))) if position not in scored]
        pool = [others[i] for i in evenly_spaced(len(others), self.table.dataset.references)]
        return load(self.dataset, split, pool, network, self.device) if pool else None

    def batches_of(self, positions: Sequence[int]) -> list[Sequence[int]]:
        """The positions, as many at a time as the suite says."""
        size = self.table.batch
        return [positions[start : start + size] for start in range(0, len(positions), size)]

    def cells(self, keys: Mapping[T, str], images: Sequence[str]) -> dict[T, pd.DataFrame]:
        """Those of the cells of these keys, a row for each of the images, that are in the store."""
        found = {name: self.store.read(key, images=images) for name, key in keys.items()}
        return {name: cell for name, cell in found.items() if cell is not None}

    def stored(self, identity: dict[str, Any], schema: pa.Schema, compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table from the store, or computed and kept there; by one run, where several ask for it at once."""
        key = key_of(identity)
        table = self.store.read(key, schema)
        if table is not None:
            return table
        with self.store.lock(key, f"a table of suite {self.table.name}"):
            table = self.store.read(key, schema)
            if table is None:
                # As it would be read: other types would tell a fresh table from a stored one.
                table = pa.Table.from_pandas(compute(), schema, preserve_index=False).to_pandas()
                self.store.write(key, table, schema, identity["code"])
        return table
