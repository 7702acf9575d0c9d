"""What it costs that nobody can poison anybody: CPU time with the comparisons and without, in turn."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
import torch

from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.suites.load import load_suite

PAIRS = 3
LARGEST = 1.02


@contextmanager
def unprotected(*_: object) -> Iterator[None]:
    """Nothing is compared."""
    yield


def seconds(name: str, images: int, folder: Path, only: dict[str, list[str]]) -> float:
    suite = load_suite(name, {"dataset": {"images": images}}, only=only)
    suite = replace(suite, table=suite.table.model_copy(update={"gallery": 0}))
    with progress() as bars:
        run = Run(suite, Store(folder), torch.device("cpu"), bars)
        began = time.process_time()
        run_suite(run)
        return time.process_time() - began


@pytest.mark.parametrize(
    ("name", "images", "only"),
    [
        ("embedded", 16, {}),
        ("imagenette", 4, {"attributions": ["simple_gradient", "random_map"], "metrics": ["deletion"]}),
    ],
)
def test_protection_costs_next_to_nothing(
    name: str, images: int, only: dict[str, list[str]], tmp_path: Path, monkeypatch, request, benchmark
) -> None:
    if name == "imagenette":
        request.getfixturevalue("real_data")
    ratios = []
    seconds(name, images, tmp_path / "warm", only)
    for pair in range(PAIRS):
        guarded = seconds(name, images, tmp_path / f"with{pair}", only)
        with monkeypatch.context() as patch:
            patch.setattr("bench.scoring.measure.unchanged", unprotected)
            bare = seconds(name, images, tmp_path / f"without{pair}", only)
        ratios.append(guarded / bare)
    benchmark.extra_info["ratio"] = median(ratios)
    benchmark.pedantic(lambda: None)
    assert median(ratios) <= LARGEST, ratios
