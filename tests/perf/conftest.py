"""Real networks for the timings; the published table and figure are made anew from whatever has been timed."""

from pathlib import Path

import pytest
import torch

from bench.api import Network
from bench.progress import progress
from bench.runner.networks import NetworkLoader
from bench.suites.load import load_suite
from tests.perf.contestants import RESULTS
from tests.perf.speed_report import publish


@pytest.fixture(scope="session")
def squeezenet(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Network:
    """The trained network of the suite `imagenette`: one for all tests, so that it is compiled once."""
    with progress() as bars:
        kept = tmp_path_factory.mktemp("networks")
        (trained,) = NetworkLoader.of(load_suite("imagenette"), 0, kept, torch.device("cpu"), bars).load()
    return trained.network


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not session.config.option.collectonly and (RESULTS / "timings.csv").exists():
        publish()
