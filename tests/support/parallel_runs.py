"""A suite that one process, several, shards and clusters carry out, and how their results are compared."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from bench.parallel.units import Job
from bench.progress import silent
from bench.results.cell_store import Store
from bench.results.result_set import Results
from bench.runner.records import Run
from bench.suites.load import with_plugins
from bench.suites.read import read_suite

SUITE = """
name = "small"
batch = 4
gallery = 1
[dataset]
name = "planted"
test_images = 12
images = 12
accuracy_images = 16
[attack]
images = 8
[[networks]]
architecture = "small_plain"
weights = "{weights}/small_plain-standard.safetensors"
[[networks]]
architecture = "small_resnet"
weights = "{weights}/small_resnet-standard.safetensors"
[[attributions]]
name = "integrated_gradients"
nodes = 4
[[attributions]]
name = "random_map"
[[metrics]]
name = "deletion"
step = 512
[[metrics]]
name = "gini"
"""
TRAINED = Path(__file__).parents[2] / "bench" / "trained"


def job_of(folder: Path, text: str, store: str, processes: int = 1) -> Job:
    (folder / "small.toml").write_text(text)
    path = folder / store
    path.mkdir(exist_ok=True)
    return Job(read_suite(str(folder / "small.toml")), path, "cpu", processes)


def run_of(job: Job) -> Run:
    return Run(with_plugins(job.suite), Store(job.store), torch.device("cpu"), silent())


def fixed_chunk(source: Path, *targets: Path) -> None:
    for target in targets:
        target.mkdir(exist_ok=True)
        (target / "chunks.json").write_bytes((source / "chunks.json").read_bytes())


def assert_same(results: Results, alone: Results) -> None:
    for name in ("scores", "curves", "heatmaps"):
        pd.testing.assert_frame_equal(getattr(results, name), getattr(alone, name), check_exact=True)
    pd.testing.assert_frame_equal(results.networks, alone.networks)


def forbid_computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process find everything done by others."""

    def forbidden(*_: object) -> None:
        raise AssertionError("a worker should have done this")

    for name in ("blocks.score_one", "accuracy.accuracy_of", "explain.explained_by"):
        monkeypatch.setattr(f"bench.runner.{name}", forbidden)
