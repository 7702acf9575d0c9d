"""Files written whole or not at all, and hashes of what decides a value."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.errors import HeatmarkError


def file_hash(path: Path) -> str:
    """The SHA-256 of a file of weights; HeatmarkError where there is none."""
    if not path.is_file():
        raise HeatmarkError(f"no weights at {path}")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def key_of(identity: Mapping[str, Any]) -> str:
    """The SHA-256 of everything that decides a value."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, sync it, rename it: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
