"""Ten methods, deletion and insertion, 32 photographs: the whole job, its inputs counted, timed once beside a peer."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.api import Attribution, Network
from bench.engine.predict import forward
from bench.methods.attributions.edges import Edges
from bench.methods.attributions.gnl_integrated_gradients import GnlIntegratedGradients
from bench.methods.attributions.grad_cam import GradCam
from bench.methods.attributions.guided_backprop import GuidedBackprop
from bench.methods.attributions.input_x_gradient import InputXGradient
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from bench.methods.attributions.layer_cam import LayerCam
from bench.methods.attributions.random_map import RandomMap
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.methods.attributions.smooth_grad import SmoothGrad
from bench.scoring.measure import explained_by
from tests.perf.contestants import Contestant, contest, times_faster
from tests.perf.heatmark_runs import least_inputs, ours, photographs
from tests.perf.peers import Scores, per_step_loop

METHODS: list[Attribution] = [
    SimpleGradient(),
    InputXGradient(),
    IntegratedGradients(nodes=10),
    GnlIntegratedGradients(nodes=10),
    GuidedBackprop(),
    SmoothGrad(samples=5),
    GradCam(),
    LayerCam(),
    Edges(),
    RandomMap(),
]
# Evenly spaced over the 600 photographs.
PHOTOGRAPHS = range(7, 7 + 32 * 18, 18)
TOLERANCE, MOST = 0.005, 0.005
FULL_AT_LEAST, ADAPTIVE_AT_LEAST = 2.0, 4.0


def test_ten_methods_on_32_photographs(
    squeezenet: Network, benchmark: BenchmarkFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, clean = photographs(squeezenet, PHOTOGRAPHS)
    explanations = [explained_by(method, squeezenet, request, clean) for method in METHODS]
    scores: dict[str, Scores] = {}
    seen: list[int] = []
    inputs: dict[str, int] = {}

    def noted(network: Network, images: torch.Tensor, limit: int) -> tuple[torch.Tensor, int]:
        seen.append(len(images))
        return forward(network, images, limit)

    def counted(own: Contestant) -> Contestant:
        def run() -> None:
            seen.clear()
            own.run()
            inputs[own.name] = sum(seen)

        return replace(own, run=run)

    monkeypatch.setattr("bench.engine.curve_queue.forward", noted)
    ways = [("fp32", "inductor", tolerance) for tolerance in (None, TOLERANCE)]
    full, adaptive = (counted(ours(explanations, how, scores)) for how in ways)
    # The peer takes the same photographs by two methods, two at a time; its time is told per network input.
    module = deepcopy(squeezenet.module).to(memory_format=torch.contiguous_format)
    few = [own.select([0, 16]) for own in explanations[:2]]
    passes = len(few) * 2 * 2 * (request.images.shape[-1] + 1)
    peer = Contestant(
        "per-step loop", lambda: [per_step_loop(module, own) for own in few], passes, f"torch {torch.__version__}"
    )
    case = "ten methods x 32 photographs, squeezenet1_1, 224 px, cpu"
    table = contest(benchmark, "job", case, [full, peer, adaptive], 1, warm_up=False)
    apart = [np.abs(scores[full.name][name] - scores[adaptive.name][name]) for name in ("deletion", "insertion")]
    benchmark.extra_info |= {"inputs": inputs, "largest difference": np.max(apart)}
    assert inputs[full.name] == least_inputs(len(METHODS), request.images)
    assert times_faster(table, full.name, peer.name) >= FULL_AT_LEAST
    assert times_faster(table, adaptive.name, peer.name) >= ADAPTIVE_AT_LEAST
    assert np.mean(np.concatenate(apart) <= MOST) >= 0.95
