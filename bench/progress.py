"""A progress bar for work that takes long, on a terminal; silence elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars


@dataclass(frozen=True)
class Progress:
    """Bars by name; a bar appears when it is first spoken of."""

    bars: Bars

    def advance(self, name: str, done: int, more: int = 0) -> None:
        """Move the bar of this name on by `done`, and let `more` be still to come."""
        task = next((task for task in self.bars.tasks if task.description == name), None)
        if task is None:
            self.bars.add_task(name, total=more, completed=done)
        else:
            self.bars.update(task.id, advance=done, total=(task.total or 0) + more)


def silent() -> Progress:
    """Bars that nobody sees, for processes that others watch."""
    return Progress(Bars(disable=True))


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on standard error while the block runs."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bars:
        yield Progress(bars)
