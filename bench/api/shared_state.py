"""Whether a plug-in leaves alone what all code of a process shares, where no network is given to it to be watched."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from bench.api.global_state import GENERATORS, SETTINGS, SharedCode
from bench.errors import HeatmarkError

# Threads of libraries, as the loop of a Dask worker, draw from these at any time: nobody can be blamed for it.
_ANYBODYS = "random numbers of Python"


class SharedState:
    """Settings, random generators and code that all share, as they are now; `kinds` are the classes of networks."""

    def __init__(self, kinds: Iterable[type] = ()) -> None:
        self._settings = {name: read() for name, (read, _) in SETTINGS.items()}
        self._generators = {name: read() for name, (read, _) in GENERATORS.items()}
        self._code = SharedCode.of(kinds)

    def code_put_back(self) -> str | None:
        """The code as it was; what had been changed, None where nothing was."""
        changed = self._code.changes()
        if changed:
            self._code.put_back()
        return changed[0] if changed else None

    def settings_put_back(self, *, drawing: bool) -> str | None:
        """The settings as they were, and without `drawing` the generators; what had been changed."""
        change = None
        for name, (read, put) in SETTINGS.items():
            if read() != self._settings[name]:
                put(self._settings[name])
                change = name
        for name, (read, put) in () if drawing else GENERATORS.items():
            if not _same(read(), self._generators[name]):
                put(self._generators[name])
                change = change if name == _ANYBODYS else name
        return change

    def check(self, who: str) -> None:
        """Raises HeatmarkError that says what `who` has changed meanwhile; it is put back."""
        setting = self.settings_put_back(drawing=False)  # first: torch's code follows some of them
        _refuse(who, self.code_put_back() or setting, None)


@contextmanager
def shared_left_alone(who: str, kinds: Iterable[type] = (), *, drawing: bool = False) -> Iterator[None]:
    """What all share as before outside, also after an exception; HeatmarkError where `who` changed code of others.

    With `drawing` the generators of random numbers go on.
    """
    shared = SharedState(kinds)
    cause: BaseException | None = None
    try:
        yield
    except BaseException as error:
        cause = error
        raise
    finally:
        shared.settings_put_back(drawing=drawing)  # first: torch's code follows some of them
        code = shared.code_put_back()
        if not isinstance(cause, KeyboardInterrupt):
            _refuse(who, code, cause)


def _refuse(who: str, change: str | None, cause: BaseException | None) -> None:
    if change is not None:
        raise HeatmarkError(f"{who} changed the {change}, which all share; it was put back") from cause


def _same(first: Any, second: Any) -> bool:
    """Whether states of a generator, tuples with or without arrays, or tensors, are equal."""
    if not isinstance(first, tuple):
        return bool(np.array_equal(first, second))
    if not any(isinstance(part, np.ndarray) for part in first):
        return bool(first == second)
    return all(map(_same, first, second))
