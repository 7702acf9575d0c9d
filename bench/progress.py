"""What is said of work that takes long: bars with rate and time left on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

CELLS = "images x cells"  # what the whole of a run is counted in
CELLS_AGAIN = "cells computed again"
EVERY = 30.0  # seconds between lines where there is no terminal
_NAME = 26  # characters of a bar's name at 80 columns, the other _BESIDE are for what stands beside it
_BESIDE = 54


class Lines:
    """A line on standard error at most every `EVERY` seconds: what is done, how fast, and how long it may yet take."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.last = clock()
        self.begun: dict[str, tuple[float, int]] = {}
        self.heeded: tuple[str, int, int, str] | None = None

    def heed(self, name: str, done: int, total: int, known: int = 0, stage: str = "") -> None:
        """Say how far the work of this name is, if it is time to; what was `known` before says nothing of the pace."""
        now = self.clock()
        start, before = self.begun.setdefault(name, (now, done - known))
        before += known
        self.begun[name] = (start, before)
        self.heeded = (name, done, total, stage)
        if now - self.last < EVERY:
            return
        self.last = now
        self._say(*self.heeded, _pace(done - before, total - done, now - start))

    def remind(self, stop: Event) -> None:
        """Until it is told to stop: say how long the work has gone on where a step takes so long that none is heard."""
        while not stop.wait(EVERY / 2):
            now = self.clock()
            if self.heeded is not None and now - self.last >= EVERY:
                self.last = now
                self._say(*self.heeded, f", {duration(now - self.begun[self.heeded[0]][0])} so far")

    def _say(self, name: str, done: int, total: int, stage: str, pace: str) -> None:
        what = f"{stage}: {name}" if stage else name
        sys.stderr.write(f"heatmark: {what}: {done:,} of {total:,}{pace}\n")
        sys.stderr.flush()


def _pace(done: int, left: int, seconds: float) -> str:
    """How fast it goes and how long it may yet take, nothing while that is unknown."""
    if done <= 0 or seconds <= 0:
        return ""
    return f", {done / seconds:.3g} a second, about {duration(left * seconds / done)} left"


def duration(seconds: float) -> str:
    """A time for people, in two digits or whole: `2.7 min`, `45 s`, `1,234 h`."""
    size, unit = (3600, "h") if seconds >= 5400 else (60, "min") if seconds >= 90 else (1, "s")
    count = seconds / size
    return f"{count:,.{0 if count >= 9.95 else 1}f} {unit}"


@dataclass(frozen=True)
class Progress:
    """Bars by name; a bar appears when it is first spoken of."""

    bars: Bars
    lines: Lines | None = None

    def work_on(self, name: str, stage: str) -> None:
        """Say what the work of this name is at now; nothing where nobody has spoken of it."""
        if any(task.description == name for task in self.bars.tasks):
            self.advance(name, 0, stage=stage)

    def advance(self, name: str, done: int, more: int = 0, *, known: bool = False, stage: str = "") -> None:
        """Move the bar of this name on by `done`, and let `more` be still to come.

        What was `known` before says nothing of the pace; `stage` is what is worked on now.
        """
        task = next((task for task in self.bars.tasks if task.description == name), None)
        if task is None:
            number = self.bars.add_task(name, total=more, completed=done, stage=stage)
            task = next(task for task in self.bars.tasks if task.id == number)
        else:
            told = stage or task.fields["stage"]
            self.bars.update(task.id, advance=done, total=(task.total or 0) + more, stage=told)
        if self.lines is not None:
            self.lines.heed(name, int(task.completed), int(task.total or 0), done if known else 0, task.fields["stage"])


class _Name(ProgressColumn):
    """The name of a bar, its middle cut where it would push the bar off a terminal of so many columns."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.most = max(_NAME, columns - _BESIDE)

    def render(self, task: Task) -> Text:
        name = task.fields["stage"] or task.description
        half = (self.most - 1) // 2
        return Text(name if len(name) <= self.most else f"{name[:half]}…{name[-half:]}")


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="progress.data.speed")


def silent() -> Progress:
    """Bars that nobody sees, for processes that others watch."""
    return Progress(Bars(disable=True))


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars, or lines, on standard error while the block runs."""
    console, seen = Console(stderr=True), sys.stderr.isatty()
    columns = (_Name(console.width), BarColumn(None), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not seen, transient=True) as bars:
        if seen:
            yield Progress(bars)
            return
        lines, stop = Lines(), Event()
        Thread(target=lines.remind, args=(stop,), daemon=True).start()
        try:
            yield Progress(bars, lines)
        finally:
            stop.set()
