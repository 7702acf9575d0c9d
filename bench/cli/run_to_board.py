"""What `heatmark run` does once its suite is read: everything that imports torch."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench.cli.console import console, say
from bench.cli.failures import failure_lines
from bench.cli.options import device_of, writable
from bench.parallel.carry_out import carried_out, one_shard
from bench.parallel.units import Job, shard_of
from bench.progress import progress
from bench.report.terminal import show
from bench.report.view import view_of
from bench.report.write import write_with_report
from bench.results.cell_store import Store
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


def carry_out(file: SuiteFile, how: How) -> list[str]:
    """Run a suite, write and show its board, or carry out one of its shards; a line for each failure."""
    place = device_of(how.device)
    folder = how.out or how.store / "results" / file.table.name
    for path in (folder, how.store):
        writable(path)
    with progress() as bars:
        job = Job(file, how.store, place.type, how.workers, how.retrain)
        run = Run(with_plugins(file), Store(how.store), place, bars)
        if how.shard is not None:
            said, failures = one_shard(job, run, *shard_of(how.shard))
            say(said)
            return failure_lines(failures)
        results = carried_out(job, run, how.executor, how.limit)
    results.manifest["created"] = datetime.now(UTC).date().isoformat()
    write_with_report(results, folder)
    show(view_of(results), console)
    say(f"Result set and report: {folder}")
    return failure_lines(results.manifest["failures"])
