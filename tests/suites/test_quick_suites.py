"""The quick sizes of the suites of published recipes, carried out on real files or on the planted data set."""

from pathlib import Path

import pytest
import torch

from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.records import Run
from bench.runner.run import run_suite
from bench.suites.load import load_suite

PLANTED = ("planted_regularizers", "protocols")
REAL = ("advgrad2024", "advgrad2024_cub", "gradient_regularizers", "gradient_regularizers_tuned", "imagenette_recipes")


def assert_carried_out(name: str, folder: Path) -> None:
    suite = load_suite(name, quick=True, allow_code=True)
    with progress() as bars:
        results = run_suite(Run(suite, Store(folder), torch.device("cpu"), bars))
    assert len(results.networks) == len(suite.recipes)
    assert results.networks[["accuracy", "robust_accuracy"]].stack().between(0, 1).all()
    assert not results.scores.status.str.startswith("failed").any()


@pytest.mark.long
@pytest.mark.parametrize("name", PLANTED)
def test_planted(name: str, tmp_path: Path) -> None:
    assert_carried_out(name, tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("real_data")
@pytest.mark.parametrize("name", REAL)
def test_real_files(name: str, tmp_path: Path) -> None:
    assert_carried_out(name, tmp_path)
