"""Integrated gradients and SmoothGrad with gradients that come back in bfloat16, against those in float32."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import ImageRandom, Request
from bench.engine.allocator import keep_large_blocks
from bench.engine.mixed_precision import is_quick_in_bf16
from bench.functional.correlation import spearman
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.smooth_grad import SmoothGrad
from tests.perf.bare_speed import noise, untrained
from tests.perf.contestants import Contestant, contest, times_faster

CPU = torch.device("cpu")
IMAGES, NODES, CHUNK = 1, 48, 16


@pytest.mark.parametrize(
    "method", [IntegratedGradients(nodes=NODES), SmoothGrad(samples=NODES)], ids=lambda own: own.name
)
def test_gradients_that_come_back_in_bfloat16_are_faster_and_rank_alike(method, benchmark: BenchmarkFixture) -> None:
    if not is_quick_in_bf16(CPU):
        pytest.skip("this processor does not compute in bfloat16")
    keep_large_blocks()
    network = untrained("resnet18", 224, CPU, CHUNK)
    shown = noise(network, IMAGES, CPU).contiguous(memory_format=torch.channels_last)
    request = Request(shown, torch.arange(IMAGES), ImageRandom(0, "run", tuple(map(str, range(IMAGES)))))
    low = replace(method, backward="bf16")
    alike = spearman(*(own.heatmaps(own.explain(network, request)) for own in (method, low)))
    contestants = [
        Contestant(f"{method.name}, {own.backward}", partial(own.explain, network, request), IMAGES * NODES)
        for own in (method, low)
    ]
    table = contest(benchmark, "backward", f"{method.name}, resnet18, 224 px, cpu", contestants, 3)
    assert alike.min() >= 0.999
    matrix_units = bool(torch.cpu.get_capabilities().get("amx_bf16"))
    # Elsewhere bfloat16 is twice as fast at best, and the forward pass stays as it is: no slower is what is promised.
    assert times_faster(table, contestants[1].name, contestants[0].name) >= (1.5 if matrix_units else 1)
