"""Real networks for the timings; the published table and figure are made anew from whatever has been timed."""

from pathlib import Path

import pytest
import torch
from contest import RESULTS
from speed_report import publish

from bench.handed import Network
from bench.progress import progress
from bench.suite import load_suite
from bench.zoo import networks_of


@pytest.fixture(scope="session")
def squeezenet(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The trained network of the suite `imagenette`: one for all tests, so that it is compiled once."""
    with progress() as bars:
        kept = tmp_path_factory.mktemp("networks")
        (trained,) = networks_of(load_suite("imagenette"), 0, kept, torch.device("cpu"), bars)
    return trained.network


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (RESULTS / "timings.csv").exists():
        publish()
