"""What a run shares, and the identity of its cells: everything that decides a score goes into the key."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch

import bench
from bench.api import Dataset, NetworkMetric, Plugin, Recipe
from bench.handed import Network
from bench.optimisers import Training
from bench.plugins import source_file
from bench.progress import Progress
from bench.suite import Suite
from bench.suite_tables import SuiteTable

# Everything else in the package decides a score.
_NOT_COMPUTING = (
    *("_version.py", "arguments.py", "audit.py", "board.py", "cards.py", "checks/", "cli.py", "compare.py"),
    *("gather.py", "pairs.py", "plugins.py", "progress.py", "publish.py", "report/", "stats.py", "store.py"),
    *("suite.py", "suite_tables.py", "wins.py", "wording.py"),
)


@dataclass(frozen=True)
class School:
    """How a network can be trained over again: on another data set, and by another recipe than its own if not None."""

    training: Training
    again: Callable[[Dataset, Recipe | None], Network]
    progress: Progress


@dataclass(frozen=True)
class Trained:
    """A network ready to be explained, and what decides its cells."""

    network: Network
    architecture: str
    recipe: str
    seed: int
    weights: str
    log: str
    school: School | None = None
    audits: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Work:
    """What every cell of a run shares."""

    suite: Suite
    split: str
    device: torch.device

    @property
    def dataset(self) -> Dataset:
        """The data set of the suite."""
        return self.suite.dataset

    @property
    def shares_its_pool(self) -> bool:
        """Whether the reference images are taken from the split that is scored, and so depend on what is."""
        return self.dataset.present[0] == self.split

    @property
    def table(self) -> SuiteTable:
        """The settings of the suite."""
        return self.suite.table


def identity(work: Work, trained: Sequence[Trained], ids: Sequence[str], *parts: Plugin | str) -> dict[str, Any]:
    """Everything that decides the scores of a cell of these networks on these images."""
    compares = any(isinstance(part, NetworkMetric) for part in parts)
    return {
        "dataset": [work.dataset.fingerprint(), work.split, list(ids)],
        "networks": [
            [
                *(t.architecture, t.weights, asdict(t.network.preprocess), t.network.label_map, t.seed),
                *(t.network.precision, t.network.compiler),
            ]
            for t in trained
        ],
        "trainings": [t.school and asdict(t.school.training) for t in trained] if compares else None,
        "parts": [_signature(part) if isinstance(part, Plugin) else part for part in parts],
        "target": [work.table.target, work.table.only_correct],
        "seed": work.table.seed,
        "references": [work.table.dataset.references, work.table.dataset.images if work.shares_its_pool else None],
        "device": work.device.type,
        "code": code_hash(),
        "torch": torch.__version__,
    }


@cache
def code_hash() -> str:
    """A hash of all code of the package that computes."""
    digest = hashlib.sha256()
    root = Path(bench.__file__).parent
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if not name.startswith((*_NOT_COMPUTING, "methods/", "metrics/", "datasets/")):
            digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


def _signature(plugin: Plugin) -> list[Any]:
    source = hashlib.sha256(source_file(type(plugin)).read_bytes()).hexdigest()
    return [plugin.name, {name: repr(value) for name, value in plugin.settings.items()}, source]
