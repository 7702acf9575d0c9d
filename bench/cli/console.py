"""Where the command prints."""

import logging
import sys

from rich.console import Console

from bench.errors import printable

# A table in a file or a log is not cut to the width of no terminal.
console = Console(width=None if sys.stdout.isatty() else 200, emoji=False)


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
