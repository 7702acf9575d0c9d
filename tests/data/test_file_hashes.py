"""Files are hashed by content, once: a file that is written again is read again, whatever its size and time."""

import os
import time
from pathlib import Path

import pytest

from bench.data import file_hashes
from bench.data.file_hashes import content_hashes


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path]:
    """The files that have been read."""
    files: list[Path] = []
    own = file_hashes._hash

    def noted(path: Path) -> str:
        files.append(path)
        return own(path)

    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(file_hashes, "_hash", noted)
    return files


def old(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    os.utime(path, ns=(10**18, 10**18))
    return path


def test_what_is_remembered_is_not_read_again(tmp_path: Path, read: list[Path]) -> None:
    files = [old(tmp_path / name, name.encode()) for name in ("a", "b")]
    first = content_hashes(files)
    assert len(read) == 2
    assert content_hashes(files) == first
    assert len(read) == 2


def test_a_file_of_the_same_size_and_time_is_another(tmp_path: Path, read: list[Path]) -> None:
    path = old(tmp_path / "a", b"one")
    (before,) = content_hashes([path])
    path.unlink()
    old(tmp_path / "other", b"keeps the inode")
    old(path, b"two")
    os.utime(path, ns=(10**18, 10**18 + 1))
    assert content_hashes([path]) != [before]


def test_what_was_just_written_is_not_remembered(tmp_path: Path, read: list[Path]) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    content_hashes([path])
    content_hashes([path])
    assert len(read) == 2


def test_no_file_and_no_place_to_remember(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HEATMARK_CACHE", str(tmp_path / "file" / "no"))
    assert content_hashes([tmp_path / "absent"]) == ["none"]
    assert content_hashes([old(tmp_path / "a", b"one")]) == content_hashes([tmp_path / "a"])


def test_a_damaged_memory_is_no_obstacle(tmp_path: Path, read: list[Path]) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "file_hashes.sqlite").write_bytes(b"no database")
    assert len(content_hashes([old(tmp_path / "a", b"one")])) == 1


def test_a_file_written_over_with_its_time_put_back_is_another(tmp_path: Path, read: list[Path]) -> None:
    path = old(tmp_path / "a", b"one")
    (before,) = content_hashes([path])
    time.sleep(0.02)  # a change is told by the file system's clock
    path.write_bytes(b"two")
    os.utime(path, ns=(10**18, 10**18))
    assert content_hashes([path]) != [before]
