"""Where the command prints."""

import logging
import os
import sys

from rich.console import Console

from bench.errors import printable


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Whoever read has gone (`heatmark list | head`): the work goes on, unheard."""
        self.quiet = True
        discard_output()


def discard_output() -> None:
    """Let whatever is still printed to standard output go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


# A table in a file or a log is not cut to the width of no terminal.
console = _Console(width=None if sys.stdout.isatty() else 200, emoji=False)


def write(text: str) -> None:
    """Write for programs: the text as it is, to standard output."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        discard_output()


def say(text: object) -> None:
    """Print one line as it is: no markup, no control characters, not broken where the terminal ends."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def complain(text: object) -> None:
    """Print one line as `say` does, in red on standard error."""
    said = Console(stderr=True, emoji=False)
    said.print(f"heatmark: {printable(text)}", style="red", markup=False, highlight=False, soft_wrap=True)


class OneLine(logging.Formatter):
    """What plug-ins and libraries log, without characters that a terminal obeys; tracebacks keep their lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name that logging calls
        """The message as one printable line."""
        return printable(super().formatMessage(record))
