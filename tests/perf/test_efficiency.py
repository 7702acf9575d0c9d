"""The engine against the bare network."""

from dataclasses import replace

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Precision
from bench.engine import fastest_chunk
from bench.metrics.faithfulness.average_drop import AverageDrop
from bench.metrics.faithfulness.average_gain import AverageGain
from bench.metrics.faithfulness.average_increase import AverageIncrease
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.metrics.faithfulness.saco import Saco
from bench.metrics.faithfulness.single_deletion import SingleDeletion
from bench.metrics.faithfulness.srg import Srg
from bench.scoring.measure import measure
from tests.perf.bare_speed import bound, random_maps, untrained
from tests.perf.contestants import Contestant, contest, times_faster

AT_LEAST = 0.95
# Network, pixels, precision, device; images, points of a curve, rounds: a few seconds a round.
CASES = [
    ("small_resnet", 64, "fp32", "cpu", 8, 64, 15),
    ("squeezenet1_1", 224, "fp32", "cpu", 1, 112, 5),
    ("squeezenet1_1", 224, "bf16", "cpu", 1, 112, 5),
    ("resnet18", 224, "fp32", "cpu", 1, 56, 4),
    ("resnet50", 224, "fp32", "cpu", 1, 32, 3),
    ("resnet50", 224, "bf16", "cuda", 8, 224, 7),
]


@pytest.mark.parametrize(("architecture", "size", "precision", "device", "images", "points", "rounds"), CASES)
def test_the_engine_is_as_fast_as_the_bare_network(
    architecture: str,
    size: int,
    precision: Precision,
    device: str,
    images: int,
    points: int,
    rounds: int,
    benchmark: BenchmarkFixture,
) -> None:
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no GPU at hand")
    where = torch.device(device)
    network = replace(untrained(architecture, size, where), precision=precision)
    explained = random_maps(network, images, where)
    network = replace(network, chunk=fastest_chunk(network, explained.images))
    explained = replace(explained, network=network)
    step = size * size // points
    metrics = [(Deletion(step=step), explained), (Insertion(step=step), explained)]
    # Of the ends the untouched image is known, the blank one is the same for all images, each blur is its own.
    passes = images * (2 * (points - 1) + 1) + 1
    ours = Contestant("heatmark", lambda: measure(metrics), passes, f"chunk {network.chunk}")
    case = f"{architecture}, {size} px, {precision}, {device}"
    table = contest(benchmark, "efficiency", case, [ours, bound(network, passes)], rounds)
    assert times_faster(table, "heatmark", "bare network") >= AT_LEAST


def test_metrics_that_take_parts_away_are_as_fast_as_the_bare_network(benchmark: BenchmarkFixture) -> None:
    where, images = torch.device("cpu"), 8
    network = untrained("squeezenet1_1", 224, where)
    explained = random_maps(network, images, where)
    network = replace(network, chunk=fastest_chunk(network, explained.images))
    explained = replace(explained, network=network)
    drops = [AverageDrop(), AverageIncrease(), AverageGain()]
    metrics = [(metric, explained) for metric in [Srg(steps=20), Saco(groups=10), SingleDeletion(rows=4), *drops]]
    # Two orders of 19 steps, 10 groups, 16 cells and 3 images seen through their maps; the blank image is the same.
    passes = images * (2 * 19 + 10 + 16 + 3) + 1
    ours = Contestant("heatmark", lambda: measure(metrics), passes, f"chunk {network.chunk}")
    case = "squeezenet1_1, 224 px, fp32, cpu: SRG, SaCo, single deletion, average drop, increase and gain"
    table = contest(benchmark, "efficiency", case, [ours, bound(network, passes)], 5)
    assert times_faster(table, "heatmark", "bare network") >= AT_LEAST
