"""The back ends of forward passes side by side: torch, inductor, OpenVINO; and curves in mixed precision."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from bench.api import Compiler, Network, Precision
from bench.engine.allocator import keep_large_blocks
from bench.engine.compiled import candidates, libraries
from bench.engine.mixed_precision import is_quick_in_bf16
from bench.engine.predict import forward, forwards_only, logits_in_chunks
from bench.methods.attributions.random_map import RandomMap
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.scoring.measure import explained_by, measure
from tests.perf.bare_speed import noise, untrained
from tests.perf.contestants import Contestant, contest, times_faster
from tests.perf.heatmark_runs import photographs

CPU = torch.device("cpu")
CHUNK = 16
# Network, chunks, rounds: a few seconds a round.
CASES = [("squeezenet1_1", 8, 5), ("resnet50", 1, 5)]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


def passes(network: Network, images: Tensor, chunks: int) -> Callable[[], None]:
    """So many chunks through the network, which has been compiled before."""
    logits_in_chunks(network, images)

    def run() -> None:
        with forwards_only(network, images) as ready:
            for _ in range(chunks):
                forward(ready, images, len(images))

    return run


@pytest.mark.parametrize(("architecture", "chunks", "rounds"), CASES)
def test_back_ends(architecture: str, chunks: int, rounds: int, benchmark: BenchmarkFixture) -> None:
    keep_large_blocks()
    plain = untrained(architecture, 224, CPU, CHUNK)
    images = noise(plain, CHUNK, CPU).contiguous(memory_format=torch.channels_last)
    exact = logits_in_chunks(plain, images)
    contestants, versions = [], {"none": "", "inductor": ""} | libraries(candidates(CPU))
    for compiler in candidates(CPU):
        for precision in PRECISIONS:
            own = replace(plain, compiler=compiler, precision=precision)
            name = f"{'torch' if compiler == 'none' else compiler} {precision}"
            version = versions[compiler] or torch.__version__
            contestants.append(Contestant(name, passes(own, images, chunks), CHUNK * chunks, version))
            off = float((logits_in_chunks(own, images) - exact).abs().max() / exact.abs().max())
            benchmark.extra_info[f"{name} off"] = off
            assert off <= (1e-5 if precision == "fp32" else 0.05)
    table = contest(benchmark, "back ends", f"{architecture}, 224 px, cpu", contestants, rounds)
    best = max(times_faster(table, own.name, "torch fp32") for own in contestants if own.name.endswith("fp32"))
    assert best >= 1.05


@pytest.mark.parametrize("compiler", candidates(CPU))
def test_mixed_precision_is_as_fast_as_fp32_at_least(
    compiler: Compiler, squeezenet: Network, benchmark: BenchmarkFixture
) -> None:
    if not is_quick_in_bf16(CPU):
        pytest.skip("this processor does not compute in bfloat16")
    keep_large_blocks()
    network = replace(squeezenet, compiler=compiler, chunk=CHUNK)
    explained = explained_by(RandomMap(), network, *photographs(network, [0, 300]))
    contestants = []
    for precision in ("fp32", "mixed"):
        own = replace(explained, network=replace(network, precision=precision))
        metrics = [(Deletion(), own), (Insertion(), own)]
        measure(metrics)
        contestants.append(Contestant(f"{compiler} {precision}", partial(measure, metrics), 2 * 447 + 1))
    table = contest(benchmark, "mixed precision", f"squeezenet1_1, 224 px, {compiler}", contestants, 2)
    assert times_faster(table, f"{compiler} mixed", f"{compiler} fp32") >= 1.0
