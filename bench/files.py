"""Files written whole or not at all, sealed by checksums, locked against other runs; hashes of what decides values."""

import hashlib
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import lock_descriptor, unlock_descriptor

from bench.errors import HeatmarkError

TEMPORARY = ".tmp"
DAMAGED = ".damaged"
SEAL = "sha256"

_log = logging.getLogger("heatmark")


def file_hash(path: Path) -> str:
    """The SHA-256 of a file of weights; HeatmarkError where there is none."""
    if not path.is_file():
        raise HeatmarkError(f"no weights at {path.absolute()}")
    return checksum(path)


def checksum(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def key_of(identity: Mapping[str, Any]) -> str:
    """The SHA-256 of everything that decides a value."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it, rename it: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = _temporary(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            # Renamed while it is still locked, so that no sweep takes it for one of a dead run.
            temporary.chmod(0o644)
            temporary.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)  # the system names no file where a disk is full
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> tuple[int, Path]:
    """A new file beside `path`, locked for as long as it is open."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=TEMPORARY)
        if lock_descriptor(handle, blocking=False) and os.fstat(handle).st_nlink:
            return handle, Path(name)
        os.close(handle)  # a sweep came between


def sweep(folder: Path) -> list[tuple[Path, int]]:
    """Remove temporary files and locks of runs that are dead from everywhere under a folder; what went, and its bytes.

    A file that a living run has open is locked by it and stays.
    """
    gone = []
    for parent, _, names in os.walk(folder):
        for name in names:
            if name.endswith((TEMPORARY, ".lock")) and name.startswith("."):
                path = Path(parent, name)
                size = _remove_unlocked(path)
                gone += [] if size is None else [(path, size)]
    return gone


def _remove_unlocked(path: Path) -> int | None:
    try:
        handle = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        if not lock_descriptor(handle, blocking=False) or not os.fstat(handle).st_nlink:
            return None
        size = os.fstat(handle).st_size
        path.unlink(missing_ok=True)
        return size
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Inside, no other process holds the lock of this path; where that takes waiting, one line of the log says so.

    The lock of a process that was killed is free. The file of the lock is gone afterwards.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _lock(path, what)
    try:
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        finally:
            unlock_descriptor(handle)
            os.close(handle)


def _lock(path: Path, what: str) -> int:
    said = False
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not lock_descriptor(handle, blocking=False):
            if not said:
                _log.info("another run works on %s; waiting for it", what)
            said = True
            lock_descriptor(handle)
        if os.fstat(handle).st_nlink:
            return handle
        os.close(handle)  # whoever held it has removed the file


def set_aside(path: Path, reason: str) -> None:
    """Rename what is damaged, so that it is made anew and can be looked at; one line of the log says so."""
    aside = path.with_name(path.name + DAMAGED)
    try:
        path.replace(aside)
    except FileNotFoundError:
        return  # another run was faster
    _log.warning("%s is damaged (%s): set aside as %s, and made anew", path, reason, aside.name)


def sealed(about: Mapping[str, Any]) -> bytes:
    """A JSON object for people to read, with the checksum of its content as the last entry."""
    return (json.dumps({**about, SEAL: _seal(about)}, indent=2) + "\n").encode()


def unsealed(content: bytes, *, must: bool = True) -> dict[str, Any]:
    """The JSON object without its checksum; ValueError where it is none, was changed, or lacks one it `must` have."""
    try:
        about = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error
    if not isinstance(about, dict):
        raise ValueError("no JSON object")
    seal = about.pop(SEAL, None)
    if seal is None and not must:
        return about
    if seal != _seal(about):
        raise ValueError("its checksum does not match")
    return about


def _seal(about: Mapping[str, Any]) -> str:
    return key_of(json.loads(json.dumps(about)))
