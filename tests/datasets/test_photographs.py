import math
from pathlib import Path

import pytest
import torch

from bench import checks
from bench.datasets.photographs import Photographs
from bench.errors import HeatmarkError
from bench.progress import progress
from bench.results.cell_store import Store
from bench.runner.accuracy import network_row
from bench.runner.networks import NetworkLoader
from bench.runner.records import Run
from bench.suites.load import load_suite


@pytest.mark.parametrize("check", checks.DATASET_CHECKS)
def test_conformance(check) -> None:
    check(Photographs(), "test")


def test_every_photograph_is_in_colour_and_larger_than_a_network_asks() -> None:
    dataset = Photographs()
    samples = [dataset.sample("test", position) for position in range(len(dataset.ids("test")))]
    assert {sample.image.shape[0] for sample in samples} == {3}
    assert min(min(sample.image.shape[1:]) for sample in samples) >= 300
    assert len({sample.image.sum().item() for sample in samples}) == len(samples) == 13


def test_nothing_is_asked_of_labels_that_nobody_has_given(tmp_path: Path) -> None:
    for what in ({"target": "label"}, {"only_correct": True}):
        with pytest.raises(HeatmarkError, match=r"photographs.toml: .*: the images of photographs are not labelled"):
            load_suite("photographs", what)
    suite = load_suite("photographs")
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, tmp_path, torch.device("cpu"), bars).load()
        row = network_row(Run(suite, Store(tmp_path), torch.device("cpu"), bars), trained)
    assert row["images"] == 0
    assert all(math.isnan(float(str(row[name]))) for name in ("accuracy", "accuracy_among_classes", "robust_accuracy"))
