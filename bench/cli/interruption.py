"""Ctrl-C and SIGTERM end a command with one line: what is kept, and how to go on."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import typer

from bench.cli.console import complain


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM came."""


def kept_in(store: Path) -> str:
    """What a store keeps of a run that was stopped."""
    return f"finished cells, and networks up to their last whole epoch, are kept in {store}"


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """Inside, a signal ends the command with what is `kept`, the command that goes on, and 128 plus its number."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread only
        return
    own = os.getpid()

    def terminate(number: int, _: FrameType | None) -> None:
        if os.getpid() != own:
            os._exit(128 + number)  # a process that loads data; the main one tells of it
        raise _TerminatedError

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except KeyboardInterrupt as stop:
        number = signal.SIGTERM if isinstance(stop, _TerminatedError) else signal.SIGINT
        complain(f"stopped by {number.name}; {kept}; to go on: {shlex.join(['heatmark', *sys.argv[1:]])}")
        raise typer.Exit(128 + number) from stop
    finally:
        signal.signal(signal.SIGTERM, before)
