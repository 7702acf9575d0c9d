"""A plan as people read it."""

from collections.abc import Callable
from itertools import groupby

from rich.markup import escape
from rich.table import Table

from bench.cli.console import console, say
from bench.parallel.plan import Plan
from bench.parallel.workload import Task
from bench.progress import duration

_ROWS = 60
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "kiB"), (1, "bytes"))


def show(planned: Plan) -> None:
    """Print the work by network and method, what it sums to, the dearest cells, and what would save some."""
    where = f"{planned.device}, {planned.workers} process{'es' if planned.workers > 1 else ''}"
    threads = f" of {planned.threads} thread{'s' if planned.threads > 1 else ''}" if planned.device == "cpu" else ""
    say(f"{planned.suite}: {planned.cells:,} cells, {planned.stored:,} in the store; {where}{threads}")
    _show_work(planned)
    say(f"Passes: {planned.forward:,} forward, {planned.backward:,} backward")
    around = f"{duration(planned.start)} of it to start, {duration(planned.finish)} to keep cells and report"
    say(f"Time: {duration(planned.seconds)} in one process{_with_workers(planned)}, {around}")
    most = "" if planned.limit is None else f" and {_size(planned.limit)} at most"
    say(
        f"Memory: {_size(planned.memory)} a process, at least{most}; "
        f"the store grows by about {_size(planned.store_bytes)}"
    )
    _show_dearest(planned)
    saved = planned.with_adaptive_curves()
    if saved is not None:
        say(f"Adaptive curves (tolerance = 0.01) would save {saved[0]:,} passes forward, {duration(saved[1])}")
    say(f"A quarter of the {planned.images:,} images: {duration(planned.with_images(0.25))}, intervals twice as wide")
    for note in planned.notes:
        say(f"Note: {note}")


def show_decided(planned: Plan) -> None:
    """Print how few passes a race takes, and how many it may."""
    images, forward, backward, seconds = planned.decided_at_once()
    least = f"{forward:,} forward, {backward:,} backward, {duration(seconds)}"
    say(f"With --decide: at least {least}, where all is decided by {images} of {planned.images:,} images; at most all")
    if planned.stored:
        say("Note: with --decide images come in another order, and cells of a whole run are of no use to it")


def _show_work(planned: Plan) -> None:
    """A row for each network and method; for networks and for methods where that would be too many."""
    rows = {(task.network, _row(task)) for task in planned.tasks}
    table = Table(box=None, pad_edge=False)
    for name in ("network", "work"):
        table.add_column(name)
    for name in ("cells", "forward", "backward", "time"):
        table.add_column(name, justify="right")
    if len(rows) <= _ROWS:
        _add_rows(table, planned, lambda task: (task.network, _row(task)))
    else:
        _add_rows(table, planned, lambda task: (task.network, ""))
        _add_rows(table, planned, lambda task: ("", _row(task)))
    console.print(table, highlight=False)


def _add_rows(table: Table, planned: Plan, key: Callable[[Task], tuple[str, str]]) -> None:
    for name, group in groupby(sorted(planned.tasks, key=key), key):
        tasks = list(group)
        numbers = [sum(getattr(task, what) for task in tasks) for what in ("cells", "forward", "backward")]
        seconds = sum(task.seconds for task in tasks)
        table.add_row(*map(escape, name), *(f"{number:,}" for number in numbers), duration(seconds))


def _show_dearest(planned: Plan) -> None:
    table = Table(box=None, pad_edge=False, title="The dearest cells, without explanations", title_justify="left")
    table.add_column("time", justify="right")
    for name in ("method", "metric", "network"):
        table.add_column(name)
    for task in planned.dearest:
        table.add_row(duration(task.dearest), *map(escape, (task.method, task.metric, task.network)))
    console.print(table, highlight=False)


def _row(task: Task) -> str:
    return task.method or task.what


def _with_workers(planned: Plan) -> str:
    return f", {duration(planned.seconds_of(planned.workers))} in {planned.workers}" if planned.workers > 1 else ""


def _size(count: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if count >= size or size == 1)
    return f"{count / size:.1f} {unit}"
