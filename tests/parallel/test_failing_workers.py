"""Workers that are killed, hang or eat memory: one more try, then a status; all others finish, nothing is lost."""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.cli.failures import failure_lines
from bench.parallel.carry_out import carried_out
from bench.parallel.executors import Executor, local_pool
from bench.parallel.units import Job, Unit
from bench.results.result_set import Results, read_results
from tests.support.parallel_runs import SUITE, TRAINED, fixed_chunk, job_of, run_of


class FailsOnTheSecond:
    """Units of the first network are computed here; of those of the second each is a pool's worker that fails."""

    deeds = ((os._exit, 7), (time.sleep, 600), (bytearray, 2**60), (os.kill, 0, -1))

    def __init__(self, pool: Executor) -> None:
        self.pool = pool
        self.tried: list[Unit] = []

    def submit(self, function: Callable[..., Any], /, job: Job, unit: Unit) -> "Future[Any]":
        self.tried.append(unit)
        if unit.number == 1:
            return self.pool.submit(*self.deeds[0 if unit.block is None else 1 + unit.batches[0]])
        done: Future[Any] = Future()
        done.set_result(function(job, unit))
        return done


def test_workers_that_die_hang_or_eat_memory_are_tried_again_and_cost_their_images(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed_chunk(folder / "alone", folder / "given up")
    job = job_of(folder, SUITE.format(weights=TRAINED), "given up", processes=2)
    carriers: list[FailsOnTheSecond] = []

    @contextmanager
    def failing_pool(workers: int, limit: float | None) -> Iterator[Executor]:
        with local_pool(workers, limit) as pool:
            carriers.append(FailsOnTheSecond(pool))
            yield carriers[0]

    monkeypatch.setattr("bench.parallel.carry_out.local_pool", failing_pool)
    results = carried_out(job, run_of(job), None, 0.5)
    assert_same_but_for(results, alone, lost=["small_resnet"])
    tried = Counter(unit.key for unit in carriers[0].tried)
    assert all(tried[unit.key] == 1 + unit.number for unit in carriers[0].tried)
    lost = results.scores[results.scores.network == "small_resnet"]
    statuses = lost.drop_duplicates("image").status.tolist()
    assert statuses[:4] == ["failed: a worker took longer than --limit and was stopped"] * 4
    assert statuses[4:8] == ["failed: MemoryError"] * 4
    assert [status.partition(":")[0] for status in statuses[8:]] == ["failed"] * 4
    lines = failure_lines(results.manifest["failures"])
    assert lines[0].startswith("accuracy and pictures of small_resnet by standard: failed: a worker died (")


def assert_same_but_for(results: Results, alone: Results, lost: Sequence[str]) -> None:
    """The same scores of all networks but those that are lost, whose every score has a status."""
    there = ~results.scores.network.isin(lost)
    found, expected = results.scores[there], alone.scores[~alone.scores.network.isin(lost)]
    # As values: what is read from files has categories of its own.
    own, other = (scores.reset_index(drop=True).astype(object) for scores in (found, expected))
    pd.testing.assert_frame_equal(own, other, check_exact=True)
    assert results.scores[~there].status.str.startswith("failed: ").all()
    assert results.networks.set_index("network").accuracy.isna().to_dict() == {
        name: name in lost for name in results.networks.network
    }


FAILING = """
import multiprocessing, os, resource, signal, time
from pathlib import Path
import torch
from bench.training.architectures import build
from bench.training.weight_files import load_weights

def killed():
    os.kill(os.getpid(), signal.SIGKILL)

def hangs():
    time.sleep(3600)

def eats():
    limits = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + 2**28, limits[1]))
    try:
        kept = []
        while True:
            kept.append(torch.ones(2**22))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)

class Failing(torch.nn.Module):
    def __init__(self, deed, path):
        super().__init__()
        self.inner = build("small_resnet", 8)
        load_weights(self.inner, Path(path))
        self.deed = deed

    def forward(self, images):
        if multiprocessing.parent_process() is not None:
            self.deed()
        return self.inner(images)

def make_killed(path):
    return Failing(killed, path)

def make_hanging(path):
    return Failing(hangs, path)

def make_eating(path):
    return Failing(eats, path)
"""
FAILS = {
    "failing.py-make_killed": "failed: a worker died (",
    "failing.py-make_hanging": "failed: a worker took longer than --limit and was stopped",
    "failing.py-make_eating": "failed: RuntimeError: [enforce fail",
}


SECOND = """[[networks]]
architecture = "small_resnet"
weights = "{weights}/small_resnet-standard.safetensors"
"""


@pytest.mark.long
def test_a_run_whose_workers_fail_ends_with_status_3_and_the_next_one_computes_what_is_missing(
    folder: Path, alone: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEATMARK_ALLOW_CODE", "1")
    (folder / "failing.py").write_text(FAILING)
    # Without the file beside it that tells of the weights of another module.
    weights = folder / "failing.safetensors"
    weights.write_bytes((TRAINED / "small_resnet-standard.safetensors").read_bytes())
    head, good, _, plugins = (
        SUITE.format(weights=TRAINED).replace("[[attributions]]", "[[networks]]", 1).split("[[networks]]")
    )
    tables = [f'\narchitecture = "{name.replace("-", ":")}"\nweights = "{weights}"\n' for name in FAILS]
    text = "[[networks]]".join([head, good, *tables]) + "[[attributions]]" + plugins
    monkeypatch.chdir(folder)
    fixed_chunk(folder / "alone", folder / "failing")
    job_of(folder, text.replace("\nimages = 12", "\nimages = 4"), "failing")
    command = ["run", "small.toml", "--store", "failing"]
    ended = CliRunner().invoke(app, [*command, "--workers", "2", "--limit", "40"])
    assert ended.exit_code == 3, ended.output
    for name, reason in FAILS.items():
        assert f"heatmark: accuracy and pictures of {name} by standard: {reason}" in ended.stderr
        assert f"gini, 4 images: {reason}" in ended.stderr
    results = read_results(folder / "failing" / "results" / "small")
    for name, reason in FAILS.items():
        assert results.scores[results.scores.network == name].status.str.startswith(reason).all()
    kept = written(folder / "failing")
    again = CliRunner().invoke(app, command)  # in this process, where none of them fails
    assert again.exit_code == 0, again.output
    whole = read_results(folder / "failing" / "results" / "small")
    assert whole.scores.status.eq("ok").all()
    assert_same_but_for(results, whole, lost=[*FAILS])
    assert kept
    assert kept.items() <= written(folder / "failing").items()


def written(store: Path) -> dict[Path, int]:
    """Every cell of a store, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in (store / "cells").rglob("*.parquet")}
