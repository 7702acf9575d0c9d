"""Two hundred thousand cells: listed, planned and resumed in a minute and 2 GiB; two hundred shards gathered."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.parallel.carry_out import carried_out, gathered, one_shard
from bench.parallel.plan import plan_of
from bench.parallel.throughput import Throughput
from bench.parallel.units import Job, Unit, of_shard, units_of
from bench.progress import silent
from bench.results.cell_store import Store
from bench.runner.blocks import Block, blocks_of
from bench.runner.records import Run
from bench.runner.run import ready_networks
from bench.suites.load import with_plugins
from bench.suites.read import read_suite

ROOT = Path(__file__).parents[2]
NETWORKS, METHODS, METRICS, IMAGES = 10, 30, 34, 5120
SECONDS, BYTES = 60.0, 2 * 2**30


def suite_of(networks: int, methods: int, metrics: int, images: int, batch: int) -> str:
    weights = ROOT / "bench" / "trained" / "small_plain-standard.safetensors"
    head = f'name = "many"\nbatch = {batch}\ngallery = 0\n'
    head += f'[dataset]\nname = "planted"\ntest_images = {images}\nimages = {images}\naccuracy_images = 8\n'
    head += "[attack]\nimages = 2\nsteps = 1\n"
    nets = [
        f'[[networks]]\nname = "n{i}"\narchitecture = "small_plain"\nweights = "{weights}"\n' for i in range(networks)
    ]
    own = [f'[[attributions]]\nname = "integrated_gradients"\nnodes = {i + 2}\n' for i in range(methods - 1)]
    scored = [f'[[metrics]]\nname = "deletion"\nstep = {64 + i}\n' for i in range(metrics - 1)]
    return head + "".join(
        [*nets, *own, '[[attributions]]\nname = "random_map"\n', *scored, '[[metrics]]\nname = "gini"\n']
    )


def job_of(folder: Path, text: str) -> Job:
    (folder / "many.toml").write_text(text)
    notes = {f"small_plain 64x64 fp32 cpu {torch.get_num_threads()} threads": 16}
    (folder / "chunks.json").write_text(json.dumps(notes))
    return Job(read_suite(str(folder / "many.toml")), folder, "cpu")


def run_of(job: Job) -> Run:
    return Run(with_plugins(job.suite), Store(job.store), torch.device("cpu"), silent())


def lacking(units: Sequence[Unit]) -> int:
    """Cells that are not there: each block says it with every batch."""
    return sum({(unit.number, unit.block): unit.cells for unit in units}.values())


def list_plan_and_resume(folder: Path, text: str) -> dict[str, float]:
    """What each takes, in this process: seconds of its own time, and bytes at most."""
    job = job_of(folder, text)
    took: dict[str, float] = {}
    began = time.process_time()
    units = list(units_of(job, run_of(job)))
    took["listed"] = time.process_time() - began
    cells = lacking(units)
    planned = plan_of(job, run_of(job), Throughput(1e-3, 1e-3, 3e-3))
    took["planned"] = time.process_time() - began - took["listed"]
    # What is there is seen by its name: every second cell, of an earlier run.
    store = Store(folder)
    keys = [key for block in blocks(job) for key in list(block.keys.values())[::2]]
    for key in keys:
        store.path(key).parent.mkdir(parents=True, exist_ok=True)
        store.path(key).touch()
    began = time.process_time()
    units = list(units_of(job, run_of(job)))
    own = of_shard(units, 3, 200)
    took["resumed"] = time.process_time() - began
    left = lacking(units)
    return took | {
        "cells": cells,
        "planned cells": planned.cells,
        "passes": planned.forward,
        "left": left,
        "own": len(own),
        "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def blocks(job: Job) -> Iterator[Block]:
    run = run_of(job)
    for number in range(len(run.suite.recipes)):
        yield from blocks_of(run, ready_networks(run, number))


def test_cells_are_listed_planned_and_resumed(tmp_path: Path) -> None:
    took = list_plan_and_resume(tmp_path, suite_of(1, 2, 4, 512, 64))
    assert took["cells"] == took["planned cells"] == 2 * 4 * 2
    assert took["left"] == took["cells"] / 2
    assert took["own"] == 1


@pytest.mark.long
def test_two_hundred_thousand_cells_are_listed_planned_and_resumed(tmp_path: Path) -> None:
    program = (
        "import sys, json; from pathlib import Path; from tests.parallel.test_many_cells import list_plan_and_resume"
    )
    program += "; print(json.dumps(list_plan_and_resume(Path(sys.argv[1]), sys.argv[2])))"
    text = suite_of(NETWORKS, METHODS, METRICS, IMAGES, 16)
    given = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), text],
        cwd=ROOT,
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    took = json.loads(done.stdout.splitlines()[-1])
    print(took)  # noqa: T201 - the figures are the point
    assert took["cells"] == took["planned cells"] == NETWORKS * METHODS * METRICS * IMAGES / 256 > 200_000
    assert took["left"] == took["cells"] / 2
    assert took["listed"] + took["planned"] + took["resumed"] < SECONDS, took
    assert took["bytes"] < BYTES, took


@pytest.mark.long
def test_two_hundred_shards_are_gathered(tmp_path: Path) -> None:
    shards = 200
    text = suite_of(1, 2, 2, shards, 1)
    job = job_of(tmp_path, text)
    for number in range(shards):
        one_shard(job, run_of(job), number + 1, shards)
    results = gathered(job, run_of(job))
    assert len(results.scores) == shards * 2 * 2
    assert results.scores.status.eq("ok").all()
    (tmp_path / "alone").mkdir()
    again = job_of(tmp_path / "alone", text)
    alone = carried_out(again, run_of(again), None, None)
    pd.testing.assert_frame_equal(results.scores, alone.scores, check_exact=True)
    pd.testing.assert_frame_equal(results.curves, alone.curves, check_exact=True)
