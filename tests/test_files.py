import errno
import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from bench.files import locked, sweep, write_whole


def _hold(path: Path, inside: Path) -> None:
    with locked(path, "x"):
        inside.touch()
        signal.pause()


def test_the_lock_of_a_killed_process_is_free_and_leaves_nothing(tmp_path: Path) -> None:
    lock, inside = tmp_path / ".x.lock", tmp_path / "inside"
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(lock, inside))
    process.start()
    while not inside.exists():
        assert process.is_alive()
    assert sweep(tmp_path) == []
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with locked(lock, "x"):
        assert lock.exists()
    assert not lock.exists()


def test_only_one_at_a_time_is_inside(tmp_path: Path) -> None:
    inside, most = [0], [0]

    def work() -> None:
        for _ in range(20):
            with locked(tmp_path / "locks" / ".x.lock", "x"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                inside[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]
    assert list((tmp_path / "locks").iterdir()) == []


def test_a_sweep_takes_the_files_of_the_dead_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cells").mkdir()
    dead = [tmp_path / ".a.json.abc.tmp", tmp_path / "cells" / ".b.lock"]
    mine = [tmp_path / "cells" / "b.parquet", tmp_path / "a.tmp", tmp_path / ".hidden"]
    for path in (*dead, *mine):
        path.write_bytes(b"1234")

    def meanwhile(_: int) -> None:
        assert sorted(sweep(tmp_path)) == sorted((path, 4) for path in dead)

    monkeypatch.setattr("os.fsync", meanwhile)
    write_whole(tmp_path / "new", b"whole")
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted([*mine, tmp_path / "new"])
    assert (tmp_path / "new").read_bytes() == b"whole"


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "scores.parquet"
    write_whole(path, b"before")
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=f"No space left on device: '{path}'"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]
