"""Errors that are meant for people: one line, what was expected, and the nearest valid choice."""

import difflib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


def printable(text: object) -> str:
    """One line without control characters, which a terminal would obey: what is none is written as an escape."""
    line = re.sub(r"\s*[^\S ]+\s*", " ", str(text)).strip()
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in line)


class HeatmarkError(Exception):
    """Something the user can mend. Its message is one printable line and names the file, key or plug-in."""

    def __init__(self, message: object) -> None:
        super().__init__(printable(message))


class UnsupportedError(HeatmarkError):
    """A plug-in cannot work on this network or data set; the board shows the reason, the run goes on."""


MOST_NAMES = 50


def nearest(name: str, choices: Iterable[str]) -> str:
    """The end of an error message: the closest valid name, or all of them when none is close, but no more than fit."""
    known = sorted(set(choices))
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    more = f" and {len(known) - MOST_NAMES} more" if len(known) > MOST_NAMES else ""
    return f"known: {', '.join(known[:MOST_NAMES]) or 'none'}{more}"


@contextmanager
def exits_refused() -> Iterator[None]:
    """Code of others may not end the process as if all were well: HeatmarkError where it calls `sys.exit`."""
    try:
        yield
    except SystemExit as end:
        said = f"a network, recipe, data set or method called sys.exit({end.code!r})"
        raise HeatmarkError(f"{said}; nothing of what it was at is kept") from end


@contextmanager
def blamed(place: str) -> Iterator[None]:
    """A HeatmarkError inside names this place of a file first."""
    try:
        yield
    except HeatmarkError as error:
        raise HeatmarkError(f"{place}: {error}") from error
