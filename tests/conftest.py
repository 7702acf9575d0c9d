"""Fixtures: a small network, a request, the folder of real data."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from torch import nn

from bench.api import ImageRandom, Network, Request
from tests.support.plugins import forgetting

# A busy machine is no failure, and what a commit's tests try should not depend on the day.
settings.register_profile("heatmark", deadline=None, derandomize=True)
settings.load_profile("heatmark")

# What goes over the same lines for every plug-in, page or mistake: coverage would take minutes to count them again.
NOT_COUNTED = (
    "bad_input",
    "checks/test_conformance.py",
    "methods/adapters/test_attribution_libraries.py",
    "methods/attributions",
    "metrics/test_degenerate.py",
    "metrics/test_not_a_number.py",
    "metrics/test_properties.py",
    "report/test_browser.py",
    "report/test_published.py",
    "results/test_commit.py",
    "runner/test_hostile_plugins.py",
    "scoring/test_protection.py",
    "statistics/test_verdict.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out of coverage what would count the same lines again."""
    for item in items:
        if any(item.path.is_relative_to(Path(__file__).parent / name) for name in NOT_COUNTED):
            item.add_marker(pytest.mark.no_cover)


@pytest.fixture
def network() -> Network:
    """A small random classifier of five classes in float64."""
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 5),
    )
    return Network(module.double().eval(), name="small", chunk=7)


@pytest.fixture
def request_of(network: Network):
    """Make a request for some random images, each decided by its id alone."""

    def make(count: int = 4, height: int = 12, width: int = 10, first: int = 0) -> Request:
        ids = tuple(f"image-{i}" for i in range(first, first + count))
        rng = ImageRandom(0, "images", ids)
        like = torch.empty(0, dtype=torch.float64)
        images = rng.normal((3, height, width), like)
        truth = (rng.uniform((height, width), like, draw="truth") > 0.7).double()
        targets = network.logits(images).detach().argmax(1)
        return Request(images, targets, rng.of("run"), truth=truth, references=images[:2] * 0.5)

    return make


@pytest.fixture
def fresh_plugins() -> Iterator[None]:
    """Nothing is remembered of which plug-ins there are, before and after."""
    yield from forgetting()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real images and weights, where HEATMARK_REAL_DATA names it."""
    folder = os.environ.get("HEATMARK_REAL_DATA")
    if not folder:
        pytest.skip("HEATMARK_REAL_DATA is not set: no real data to test with")
    return Path(folder)


@pytest.fixture(scope="session")
def full_golden() -> Path:
    """The folder of the complete golden arrays, of which tests/golden holds a part, where HEATMARK_GOLDEN names it."""
    folder = os.environ.get("HEATMARK_GOLDEN")
    if not folder:
        pytest.skip("HEATMARK_GOLDEN is not set: the complete golden arrays are not at hand")
    return Path(folder)
