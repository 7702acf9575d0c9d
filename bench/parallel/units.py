"""Units of work: names and numbers that another process turns into finished images in the shared store."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import current_process
from pathlib import Path
from threading import Lock

import torch

from bench.errors import HeatmarkError
from bench.files import key_of
from bench.progress import silent
from bench.results.cell_store import Store
from bench.runner.accuracy import network_row
from bench.runner.blocks import Block, Failure, blocks_of
from bench.runner.records import Run, Trained
from bench.runner.run import ready_networks
from bench.runner.sample_heatmaps import gallery_of
from bench.suites.load import with_plugins
from bench.suites.read import SuiteFile

# An engine may run several threads in one process, which would share networks and random numbers.
_ALONE = Lock()


@dataclass(frozen=True, eq=False)
class Job:
    """What every unit of a run shares: the suite as it was read, the store, the device, how many processes.

    Each process has an equal share of the cores, or a GPU, and `memory` bytes where that is limited. `keep_heatmaps` as
    in `Run`.
    """

    suite: SuiteFile
    store: Path
    device: str
    processes: int = 1
    retrain: bool = False
    keep_heatmaps: bool = False
    memory: int | None = None

    @property
    def threads(self) -> int:
        """Threads of each process."""
        return max(1, (os.cpu_count() or 1) // self.processes)

    @property
    def key(self) -> str:
        """What tells jobs apart."""
        said = [self.suite.written, self.suite.table.model_dump(mode="json")]
        return key_of({"suite": said, "store": str(self.store.resolve()), "device": self.device})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Job):
            return False
        mine, theirs = ((own.key, own.keep_heatmaps, own.memory) for own in (self, other))
        return mine == theirs

    def __hash__(self) -> int:
        return hash(self.key)

    def run(self) -> Run:
        """The run in this process."""
        suite, store, place = with_plugins(self.suite), Store(self.store), self._own_device()
        return Run(suite, store, place, silent(), keep_heatmaps=self.keep_heatmaps, memory=self.memory)

    def _own_device(self) -> torch.device:
        """The device; where there are several GPUs each process of a pool takes another."""
        index = next(iter(current_process()._identity), 0)
        if self.device != "cuda" or torch.cuda.device_count() < 2:
            return torch.device(self.device)
        return torch.device("cuda", index % torch.cuda.device_count())


@dataclass(frozen=True)
class Unit:
    """A batch of images of a block of cells, or (`block` is None) the tables of an entry's networks."""

    number: int
    block: int | None
    batches: tuple[int, ...]
    images: int
    cells: int
    key: str

    @property
    def part(self) -> str:
        """The name of what it leaves in the store until the cells are gathered."""
        return "_".join(map(str, self.batches))


def units_of(job: Job, run: Run, *, together: int = 1) -> Iterator[Unit]:
    """Every unit of the run, `together` batches each, and its cells that are not written; networks are made ready.

    The same units whatever is done already, so that shards stay what they are; parts that others have left are not read
    here, or each of many shards would read them all. The tables of an entry's networks are a unit too: they are read
    where they are known.
    """
    for number in range(len(run.suite.recipes)):
        group = ready_networks(run, number, retrain=job.retrain)
        yield Unit(number, None, (), 0, 0, key_of({"tables": number, "suite": job.key}))
        for position, block in enumerate(blocks_of(run, group)):
            unwritten = len(block.unwritten())
            count = len(block.batches)
            for start in range(0, count, together):
                chosen = tuple(range(start, min(start + together, count)))
                images = sum(len(block.batches[own]) for own in chosen)
                key = key_of({"block": block.name, "batches": chosen})
                yield Unit(number, position, chosen, images, unwritten, key)


def compute(job: Job, unit: Unit) -> list[Failure]:
    """Carry out a unit in this process; what failed. What it finds goes into the store."""
    with _ALONE:
        if job.processes > 1:
            torch.set_num_threads(job.threads)
        run, group, blocks = _ready(job, unit.number)
        if unit.block is not None:
            return blocks[unit.block].compute(unit.batches, unit.part)
        for trained in group:
            network_row(run, trained)
            gallery_of(run, trained)
        return []


def give_up(run: Run, unit: Unit, reason: str) -> None:
    """Put a status in place of the scores, or the tables, of a unit that could not be carried out."""
    if unit.block is None:
        run.untold[unit.number] = reason
        return
    with _ALONE:
        block = list(blocks_of(run, ready_networks(run, unit.number)))[unit.block]
        block.give_up(unit.batches, reason)


@lru_cache(maxsize=2)
def _ready(job: Job, number: int) -> tuple[Run, list[Trained], list[Block]]:
    """The networks of an entry and their blocks, kept in this process from unit to unit."""
    run = job.run()
    group = ready_networks(run, number, retrain=job.retrain)
    return run, group, list(blocks_of(run, group))


def shard_of(said: str) -> tuple[int, int]:
    """`3/16` as (3, 16); `/16` takes the number from a job array: SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX.

    Kubernetes counts completions from 0, and so does an array that begins with 0. HeatmarkError for anything else.
    """
    number, _, count = said.partition("/")
    if not number:
        number = _from_environment()
    if not (number.isdigit() and count.isdigit() and 1 <= int(number) <= int(count)):
        raise HeatmarkError(f"--shard {said}: expected a number from 1 and how many there are, as 3/16")
    return int(number), int(count)


def of_shard(units: Sequence[Unit], number: int, count: int) -> list[Unit]:
    """The units of one of `count` shards: those at every `count`-th place in the order of their keys."""
    return sorted(units, key=lambda unit: unit.key)[number - 1 :: count]


def _from_environment() -> str:
    if "SLURM_ARRAY_TASK_ID" in os.environ:
        first = int(os.environ.get("SLURM_ARRAY_TASK_MIN", "1"))
        return str(int(os.environ["SLURM_ARRAY_TASK_ID"]) - first + 1)
    if "JOB_COMPLETION_INDEX" in os.environ:
        return str(int(os.environ["JOB_COMPLETION_INDEX"]) + 1)
    raise HeatmarkError("--shard /N: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set; expected K/N")
