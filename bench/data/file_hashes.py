"""Hashes of the content of files, remembered from run to run by path, size, time and inode."""

import hashlib
import logging
import os
import sqlite3
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from platformdirs import user_cache_path

_log = logging.getLogger("heatmark")
# A file that was written so lately may change again without another time: its hash is not remembered.
_SETTLED = 2.0
_TABLE = "CREATE TABLE IF NOT EXISTS hashes (path TEXT PRIMARY KEY, stamp TEXT, hash TEXT)"


def content_hashes(paths: Iterable[Path]) -> list[str]:
    """The SHA-256 of each file's content, `none` where there is no file.

    Files whose size, time and inode are as remembered are not read again. The memory lies in the folder that
    HEATMARK_CACHE names, by default in the user's cache; where it cannot be written every file is read.
    """
    files = [path.absolute() for path in paths]
    remembered = _remembered(files)
    stamps = [_stamp(path) for path in files]
    known = [remembered.get(str(path), ("", "")) for path in files]
    unknown = [i for i, stamp in enumerate(stamps) if stamp and known[i][0] != stamp]
    with ThreadPoolExecutor() as pool:
        read = dict(zip(unknown, pool.map(_hash, (files[i] for i in unknown)), strict=True))
    _remember([(str(files[i]), stamps[i], read[i]) for i in unknown if _settled(files[i], stamps[i])])
    return [read.get(i, known[i][1]) if stamp else "none" for i, stamp in enumerate(stamps)]


def _stamp(path: Path) -> str:
    """What changes when a file is written: size, time, inode; nothing where there is no file."""
    try:
        stat = path.stat()
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _settled(path: Path, stamp: str) -> bool:
    return _stamp(path) == stamp and time.time() - path.stat().st_mtime > _SETTLED


def _database() -> Path:
    return Path(os.environ.get("HEATMARK_CACHE") or user_cache_path("heatmark")) / "file_hashes.sqlite"


def _remembered(files: list[Path]) -> dict[str, tuple[str, str]]:
    """Stamp and hash by path, of files in the folders of these."""
    database = _database()
    if not database.is_file():
        return {}
    wanted = {str(path) for path in files}
    try:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            rows = connection.execute("SELECT path, stamp, hash FROM hashes").fetchall()
    except sqlite3.Error as error:
        _log.info("hashes of files cannot be read from %s (%s): every file is read", database, error)
        return {}
    return {path: (stamp, digest) for path, stamp, digest in rows if path in wanted}


def _remember(rows: list[tuple[str, str, str]]) -> None:
    if not rows:
        return
    database = _database()
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            connection.execute(_TABLE)
            connection.executemany("INSERT OR REPLACE INTO hashes VALUES (?, ?, ?)", rows)
    except (OSError, sqlite3.Error) as error:
        _log.info("hashes of files cannot be kept in %s (%s): they are made again next time", database, error)
