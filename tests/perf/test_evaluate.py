"""`bench.evaluate` as it is called by somebody who sets nothing, against the bare network at its best batch."""

from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

import bench
from bench.engine.allocator import keep_large_blocks
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from tests.perf.bare_speed import bound, noise, untrained
from tests.perf.contestants import Contestant, contest, times_faster

AT_LEAST = 0.95
# Network, images, points of a curve, rounds. The look at a network before its first score takes a hundred passes.
CASES = [("squeezenet1_1", 8, 224, 2), ("efficientnet_lite0", 8, 224, 2), ("resnet50", 8, 224, 1)]


@pytest.mark.parametrize(("architecture", "images", "points", "rounds"), CASES)
def test_evaluate_without_settings_is_as_fast_as_the_bare_network(
    architecture: str, images: int, points: int, rounds: int, benchmark: BenchmarkFixture
) -> None:
    keep_large_blocks()
    network = untrained(architecture, 224, torch.device("cpu"))
    shown = noise(network, images, torch.device("cpu"))
    step = 224 * 224 // points
    metrics = [Deletion(step=step), Insertion(step=step)]
    run = partial(bench.evaluate, network.module, shown, attributions=["random_map"], metrics=metrics)
    # Clean, and blurred, each once; the blank one for all.
    passes = images * (2 * (points - 1) + 2) + 1
    contestants = [Contestant("evaluate", run, passes), bound(network, passes)]
    table = contest(benchmark, "evaluate", f"{architecture}, 224 px, cpu", contestants, rounds)
    assert times_faster(table, "evaluate", "bare network") >= AT_LEAST
