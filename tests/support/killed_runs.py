"""`heatmark run` killed at random moments, again and again: `python -m tests.support.killed_runs FOLDER KILLS SEED`.

The runs are forks of this process, which has imported all they need, so that a kill hits work and not imports.
"""

import importlib
import json
import mmap
import os
import random
import re
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import torch

from bench.cli import app
from bench.results import finished_images

# What a run is at: the functions inside which it is at it.
STAGES = {
    "training": ["bench.runner.networks:train"],
    "explaining": ["bench.runner.explain:explained_by"],
    "scoring": ["bench.runner.score:measure_each"],
    "writing": [
        f"bench.{module}:write_whole"
        for module in ("results.cell_store", "results.result_set", "results.commit", "training.checkpoints")
    ],
    "reporting": ["bench.report.write:_write"],
}
NAMES = ["elsewhere", *STAGES]


def carry_out(folder: Path, at: mmap.mmap | None = None) -> int:
    """Start the suite of a folder in a fork; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.chdir(folder)
        with Path("said.txt").open("w") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
        if at is not None:
            at[0] = 0
            _watch(at)
        app(["run", "tiny.toml", "--store", "store"], standalone_mode=False)
        status = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(status)


def _watch(at: mmap.mmap) -> None:
    """Let the run say in shared memory what it is at."""
    for name, places in STAGES.items():
        for place in places:
            module = importlib.import_module(place.split(":")[0])
            function = place.split(":")[1]
            setattr(module, function, _saying(getattr(module, function), at, NAMES.index(name)))


def _saying(function: Callable[..., Any], at: mmap.mmap, number: int) -> Callable[..., Any]:
    @wraps(function)
    def says(*given: Any, **named: Any) -> Any:
        before, at[0] = at[0], number
        try:
            return function(*given, **named)
        finally:
            at[0] = before

    return says


def main(folder: Path, kills: int, seed: int) -> None:
    """Kill a run `kills` times at moments drawn evenly from the time that a whole one takes, then let it end.

    Prints what the kills hit, how many runs ended before theirs, and what of the cells was written twice. Where a run
    has ended its store is emptied but for the notes, so that the next one meets all moments again.
    """
    torch.set_num_threads(1)
    began = time.monotonic()
    _wait(carry_out(folder))
    whole = time.monotonic() - began
    store, chance, at = folder / "store", random.Random(seed), mmap.mmap(-1, 1)  # noqa: S311
    _empty(store)
    finished_images.KEEP_EVERY = 0.0
    hit: Counter[str] = Counter()
    rewritten, ended, before = [], 0, dict[str, int]()
    while hit.total() < kills:
        child = carry_out(folder, at)
        time.sleep(chance.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        now = _cells(store)
        rewritten += [name for name, inode in before.items() if now.get(name) != inode]
        if os.WIFSIGNALED(status):
            hit[NAMES[at[0]]] += 1
            before = now
        else:
            _check(folder, status)
            ended += 1
            _empty(store)
            before = {}
    _wait(carry_out(folder))
    rewritten += [name for name, inode in before.items() if _cells(store).get(name) != inode]
    sys.stdout.write(json.dumps({"hit": hit, "ended": ended, "rewritten": rewritten, "seconds": whole}))


def left_over(store: Path) -> list[str]:
    """Files that should not be there after a run has ended."""
    fine = re.compile(r"cells/\w\w/\w{64}\.parquet|networks/[\w.-]+\.(json|safetensors)|chunks\.json|results/.*")
    names = [path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()]
    return [name for name in names if not fine.fullmatch(name) or "/." in name]


def _wait(child: int) -> None:
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"a run ended with status {status}")


def _check(folder: Path, status: int) -> None:
    if status:
        raise RuntimeError((folder / "said.txt").read_text())


def _cells(store: Path) -> dict[str, int]:
    """The inode of each cell by its name: another one when it was written again."""
    return {path.stem: path.stat().st_ino for path in (store / "cells").rglob("*.parquet")}


def _empty(store: Path) -> None:
    for path in sorted(store.rglob("*"), reverse=True):
        if path.name != "chunks.json":
            path.rmdir() if path.is_dir() else path.unlink()


if __name__ == "__main__":
    for needed in ("bench.runner.run", "bench.report.write", "bench.suites.load", "bench.report.terminal"):
        importlib.import_module(needed)
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
