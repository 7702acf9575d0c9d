"""Carry out the units of a run: by an executor, or those of one shard in this process."""

import logging
import shlex
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import replace

import torch

from bench.errors import HeatmarkError
from bench.parallel.executors import Executor, executor_named, local_pool
from bench.parallel.units import Job, Unit, compute, give_up, of_shard, units_of
from bench.progress import CELLS, silent
from bench.results.result_set import Results
from bench.runner.blocks import Failure, blocks_of
from bench.runner.records import Run
from bench.runner.run import ready_networks, run_suite

_log = logging.getLogger("heatmark")


def by_executor(job: Job, run: Run, executor: Executor) -> int:
    """Let an executor carry out every unit that is missing; how many had to be given up.

    A unit that fails is tried once more, then its images get a status; all others go on.
    """
    units = [unit for unit in units_of(job, run) if unit.cells or unit.block is None]
    run.progress.advance(CELLS, 0, sum(unit.images * unit.cells for unit in units))
    waiting, tried = _first_last(units), dict.fromkeys(units, 0)
    running: dict[Future[list[Failure]], Unit] = {}
    lost = 0
    while waiting or running:
        while waiting:
            unit = waiting.pop()
            tried[unit] += 1
            running[executor.submit(compute, job, unit)] = unit
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            unit = running.pop(future)
            reason = _reason(future)
            if reason is None:
                run.progress.advance(CELLS, unit.images * unit.cells)
            elif tried[unit] == 1:
                _log.warning("%s: once more", reason)
                waiting.append(unit)
            else:
                _log.warning("%s: given up", reason)
                give_up(run, unit, reason)
                lost += 1
    return lost


def one_shard(job: Job, run: Run, number: int, count: int) -> tuple[str, list[Failure]]:
    """Carry out one of `count` shards in this process; what was done and what comes next in a line, and what failed."""
    units = list(units_of(job, run))
    own = of_shard(units, number, count)
    run.progress.advance(CELLS, 0, sum(unit.images * unit.cells for unit in own))
    failures: list[Failure] = []
    for unit in own:
        if unit.cells or unit.block is None:
            failures += compute(job, unit)
        run.progress.advance(CELLS, unit.images * unit.cells)
    said = (
        f"Shard {number}/{count}: {len(own)} of {len(units)} units of work. When all shards are done: "
        f"{_gathering(job)} --store {job.store}"
    )
    return said, failures


def _gathering(job: Job) -> str:
    """The command that gathers shards: `report`, or `run` itself where options have changed the suite."""
    words = shlex.split(job.suite.command)
    return shlex.join(["heatmark", "report", *words[2:]] if len(words) == 3 else words)


def carried_out(job: Job, run: Run, executor: str | None, limit: float | None) -> Results:
    """The result set of a run in this process, in processes of this machine, or by an executor of this name."""
    if executor is not None:
        with executor_named(executor, job.processes) as carrier:
            by_executor(job, run, carrier)
    elif job.processes > 1 or limit is not None:
        with threads_of(job), local_pool(job.processes, limit) as carrier:
            by_executor(job, run, carrier)
    else:
        return run_suite(run, retrain=job.retrain)
    return run_suite(replace(run, progress=silent(), gathers=True), retrain=job.retrain)


def gathered(job: Job, run: Run) -> Results:
    """The result set of what shards have left in the store; HeatmarkError that says what is missing."""
    run, missing = replace(run, gathers=True), 0
    for number in range(len(run.suite.recipes)):
        group = ready_networks(run, number, if_missing="refuse")
        missing += sum(block.lacking() for block in blocks_of(run, group))
    if missing:
        raise HeatmarkError(
            f"{missing} cells of suite {job.suite.table.name} are not in {job.store}; "
            f"{job.suite.command} --store {job.store} computes them, or the shards that are not done yet"
        )
    return run_suite(run)


@contextmanager
def threads_of(job: Job) -> Iterator[None]:
    """As many threads as each of the job's processes has, so that what is measured here holds there."""
    before = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _first_last(units: Sequence[Unit]) -> list[Unit]:
    """By network, so that a process seldom loads another; the last are taken first."""
    return sorted(units, key=lambda unit: (unit.block is not None, unit.number, unit.block or 0, unit.batches))[::-1]


def _reason(future: "Future[list[Failure]]") -> str | None:
    """Why a unit failed, in one line; None where it did not."""
    error = future.exception()
    if error is None:
        return None
    if isinstance(error, TimeoutError):
        return "failed: a worker took longer than --limit and was stopped"
    name, said = type(error).__name__, " ".join(str(error).split())
    if name == "ProcessExpired":
        return f"failed: a worker died ({said})"
    return f"failed: {name}: {said}" if said else f"failed: {name}"
