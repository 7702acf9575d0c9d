"""What `heatmark run` does once its suite is read: everything that imports torch."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cli.console import console, say
from bench.cli.failures import failure_lines
from bench.cli.options import check_decides_alone, device_of, writable
from bench.engine.memory_limit import memory_of
from bench.errors import HeatmarkError
from bench.parallel.carry_out import carried_out, one_shard
from bench.parallel.units import Job, shard_of
from bench.progress import progress
from bench.racing.race import run_decided
from bench.report.terminal import show
from bench.report.view import view_of
from bench.report.write import write_with_report
from bench.results.cell_store import Store
from bench.results.result_set import manifest_in
from bench.runner.records import Run
from bench.suites.load import with_plugins
from bench.suites.read import SuiteFile


@dataclass(frozen=True)
class How:
    """How a suite is to be carried out, as the options of `heatmark run` say it."""

    device: str
    store: Path
    out: Path | None
    workers: int
    executor: str | None
    limit: float | None
    shard: str | None
    retrain: bool
    decide: bool = False
    half_width: float | None = None
    keep_heatmaps: bool = False
    memory: str | None = None

    def check(self) -> None:
        """Raises HeatmarkError where options do not go together."""
        if self.half_width is not None and not self.decide:
            raise HeatmarkError("--half-width says when --decide leaves a method off; expected --decide beside it")
        if self.half_width is not None and not 0 < self.half_width < 1:
            raise HeatmarkError(f"--half-width {self.half_width}: expected a share between 0 and 1, as 0.05")
        others = {"--executor": self.executor, "--shard": self.shard, "--limit": self.limit}
        others["--workers"] = self.workers if self.workers > 1 else None
        if self.decide:
            check_decides_alone(others)


def carry_out(file: SuiteFile, how: How) -> list[str]:
    """Run a suite, write and show its board, or carry out one of its shards; a line for each failure."""
    how.check()
    place, memory = device_of(how.device), memory_of(how.memory, "--memory")
    folder = how.out or how.store / "results" / file.table.name
    for path in (folder, how.store):
        writable(path)
    if how.shard is None:
        _tell_of_replaced(folder, file)
    with progress() as bars:
        job = Job(file, how.store, place.type, how.workers, how.retrain, how.keep_heatmaps, memory)
        suite, store = with_plugins(file), Store(how.store)
        run = Run(suite, store, place, bars, keep_heatmaps=how.keep_heatmaps, memory=memory)
        if how.shard is not None:
            said, failures = one_shard(job, run, *shard_of(how.shard))
            say(said)
            return failure_lines(failures)
        if how.decide:
            results = run_decided(run, half_width=how.half_width, retrain=how.retrain)
        else:
            results = carried_out(job, run, how.executor, how.limit)
    results.manifest["created"] = datetime.now(UTC).date().isoformat()
    write_with_report(results, folder)
    show(view_of(results), console)
    say(f"Result set and report: {folder / 'index.html'}")
    return failure_lines(results.manifest["failures"])


def _tell_of_replaced(folder: Path, file: SuiteFile) -> None:
    """One line where the folder holds the board of another suite, or of another selection of this one."""
    there = manifest_in(folder)
    if there is None or there.get("settings") == file.written:
        return
    images, day = there.get("dataset", {}).get("images"), there.get("created", "another day")
    say(f"{folder}: this run replaces the board of {images} images of {day}; --out names another folder")
