from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.api import ImageRandom, Network, PerturbationMetric, Plan, Request
from bench.data.batches import load
from bench.engine import Drawn, clean_logits
from bench.engine.mixed_precision import may_be_off, undecided
from bench.functional.curve_areas import area_of
from bench.methods.attributions.random_map import RandomMap
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.metrics.faithfulness.morf import Morf
from bench.progress import progress
from bench.runner.networks import NetworkLoader
from bench.scoring.measure import explained_by, measured
from bench.suites.load import load_suite

Values = NDArray[np.float64]
# How far the area moves when every point moves by 1, in whichever direction counts.
RANGES = {"equal_steps": 1, "shares": 1, "points": 100 / 101, "unit_steps": 100, "mean": 1, "mean_drop": 2}
CPU = torch.device("cpu")


def rechecked(low: Values, full: Values, plan: Plan, tolerance: float) -> tuple[Values, Values]:
    """What is left of the points in low precision, and those in the other."""
    exact = np.full(len(full), np.nan)
    exact[[0, -1]] = full[[0, -1]]
    low = np.where(np.isnan(exact), low, np.nan)
    while len(wanted := undecided(low, exact, plan, tolerance)):
        assert np.isnan(exact[wanted]).all()
        exact[wanted] = full[wanted]
    return low, exact


@given(st.integers(0, 2**31), st.floats(1, 40), st.floats(0.001, 0.3), st.sampled_from(list(RANGES)))
def test_what_is_left_undecided_is_within_the_tolerance(seed: int, steepness: float, error: float, area: str) -> None:
    rng = np.random.default_rng(seed)
    logits = steepness * (np.linspace(-1, 1, 101) + rng.normal(0, 0.1, 101))
    full, low = (1 / (1 + np.exp(-own)) for own in (logits, logits + rng.normal(0, error, 101)))
    plan = Plan(tuple(range(101)), "image", "zeros", area=area)
    low, exact = rechecked(low, full, plan, 5e-4)
    assert may_be_off(low, exact, plan) <= 5e-4
    off = area_of(torch.from_numpy(np.where(np.isnan(exact), low, exact) - full)[None], area, plan.counts)
    assert abs(off.item()) <= 5e-4 * RANGES[area]


def test_certain_probabilities_are_not_computed_twice() -> None:
    plan = Plan(tuple(range(201)), "image", "zeros")
    logits = np.where(np.arange(201) < 60, 14.0, -14.0) + np.random.default_rng(0).normal(0, 1, 201)
    full, low = (1 / (1 + np.exp(-own)) for own in (logits, logits + 0.05))
    assert (~np.isnan(rechecked(low, full, plan, 5e-4)[1])).sum() == 2 + 8


def test_what_is_no_number_in_low_precision_is_computed_again() -> None:
    plan = Plan(tuple(range(101)), "image", "zeros")
    full = np.full(101, 1e-9)
    low = full.copy()
    low[[20, 70]] = np.inf
    assert not np.isnan(rechecked(low, full, plan, 5e-4)[1][[20, 70]]).any()


@pytest.fixture(autouse=True)
def every_processor_is_quick_in_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are not compute the same numbers slowly."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx512_bf16": True})


@pytest.fixture
def sure(network: Network) -> Network:
    """In float32, of large logits, so that most probabilities are near 0 or 1."""
    single = replace(network, module=network.module.float(), precision="mixed")
    with torch.no_grad():
        single.module[-1].weight.mul_(200)
    return single


def drawn_by(
    network: Network, request: Request, metrics: list[PerturbationMetric]
) -> tuple[Values, Drawn[torch.Tensor]]:
    request = request.with_images(request.images.float())
    explained = explained_by(RandomMap(), network, request, clean_logits(network, request.images))
    scored, found = measured([(metric, explained) for metric in metrics])
    return np.stack([own.score.double().numpy() for own in scored]), found


METRICS = [Deletion(step=1), Insertion(step=2), Morf(steps=60)]


def test_mixed_areas_are_those_of_fp32_to_the_tolerance(sure: Network, request_of) -> None:
    exact, plain = drawn_by(replace(sure, precision="fp32"), request_of(5), METRICS)
    low, _ = drawn_by(replace(sure, precision="bf16"), request_of(5), METRICS)
    mixed, found = drawn_by(sure, request_of(5), METRICS)
    assert np.abs(mixed - exact).max() <= 5e-4 < np.abs(low - exact).max()
    assert (plain.again, plain.off) == (0, 0.0)
    assert 0 < found.again < 0.8 * found.points
    assert 0 < found.off <= 5e-4


@pytest.mark.parametrize("scale", [3e2, 3e3, 1e5, 1e30])
def test_where_rounding_moves_logits_by_any_size_areas_are_those_of_fp32(
    network: Network, request_of, scale: float
) -> None:
    single = replace(network, module=network.module.float(), precision="mixed")
    metrics = [Deletion(step=1), Insertion(step=1)]
    off = []
    for seed in range(10):
        weight = torch.randn(5, 8, generator=torch.Generator().manual_seed(seed))
        with torch.no_grad():
            single.module[-1].weight.copy_((weight - weight.mean(1, keepdim=True)) * scale)
            single.module[-1].bias.zero_()
        exact, _ = drawn_by(replace(single, precision="fp32"), request_of(5), metrics)
        low, _ = drawn_by(replace(single, precision="bf16"), request_of(5), metrics)
        mixed, found = drawn_by(single, request_of(5), metrics)
        assert np.abs(mixed - exact).max() <= 5e-4
        assert found.off <= 5e-4
        off.append(np.abs(low - exact).max())
    assert max(off) > 0.01


def test_curves_that_jump_are_followed_in_fp32_alone(network: Network, request_of) -> None:
    single = replace(network, module=network.module.float(), precision="mixed")
    with torch.no_grad():
        single.module[-1].weight.mul_(1e30)
        single.module[-1].bias.zero_()
    adaptive = [replace(metric, tolerance=0.001) for metric in METRICS[:2]]
    exact, _ = drawn_by(replace(single, precision="fp32"), request_of(5), adaptive)
    mixed, _ = drawn_by(single, request_of(5), adaptive)
    np.testing.assert_array_equal(mixed, exact)


def test_mixed_areas_of_adaptive_curves_are_those_of_whole_ones(sure: Network, request_of) -> None:
    adaptive = [replace(metric, tolerance=0.001) for metric in METRICS[:2]]
    exact, plain = drawn_by(replace(sure, precision="fp32"), request_of(5), METRICS[:2])
    mixed, found = drawn_by(sure, request_of(5), adaptive)
    assert np.abs(mixed - exact).max() <= 0.001 + 5e-4
    assert found.again < found.points < plain.points


def test_the_rougher_an_adaptive_curve_may_be_the_fewer_points_are_computed_twice(sure: Network, request_of) -> None:
    shares = []
    for tolerance in (0.001, 0.02):
        adaptive = [replace(metric, tolerance=tolerance) for metric in METRICS[:2]]
        exact, _ = drawn_by(replace(sure, precision="fp32"), request_of(5), METRICS[:2])
        mixed, found = drawn_by(sure, request_of(5), adaptive)
        assert np.abs(mixed - exact).max() <= tolerance + 5e-4
        assert found.off <= max(5e-4, tolerance / 4)
        shares.append(found.again / found.points)
    assert shares[1] < shares[0]


def test_mixed_scores_do_not_depend_on_neighbours(sure: Network, request_of) -> None:
    request = request_of(5)
    together, _ = drawn_by(sure, request, METRICS)
    for rows in ([3], [4, 1]):
        alone, _ = drawn_by(sure, request.select(rows), METRICS)
        np.testing.assert_allclose(alone, together[:, rows], rtol=0, atol=1e-6)


def test_curves_of_logits_stay_in_fp32(sure: Network, request_of) -> None:
    logits = [Deletion(protocol="attribench"), Morf(output="logit")]
    exact, _ = drawn_by(replace(sure, precision="fp32"), request_of(2), logits)
    mixed, found = drawn_by(sure, request_of(2), logits)
    np.testing.assert_array_equal(mixed, exact)
    assert found.again == 0


def test_without_bf16_in_the_processor_mixed_is_fp32(
    sure: Network, request_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"architecture": "x86_64", "avx512_bf16": False})
    exact, _ = drawn_by(replace(sure, precision="fp32"), request_of(2), METRICS)
    mixed, found = drawn_by(sure, request_of(2), METRICS)
    np.testing.assert_array_equal(mixed, exact)
    assert found.again == 0


@pytest.mark.long
@pytest.mark.filterwarnings("ignore")
def test_mixed_areas_of_photographs_are_those_of_fp32(real_data: Path, tmp_path: Path) -> None:
    suite = load_suite("imagenette")
    with progress() as bars:
        (trained,) = NetworkLoader.of(suite, 0, tmp_path, CPU, bars).load()
    network = replace(trained.network, chunk=16)
    batch = load(suite.dataset, "val", range(0, 600, 75), network, CPU)
    clean = clean_logits(network, batch.images)
    request = Request(batch.images, clean.argmax(1), ImageRandom(0, "run", batch.ids))
    pairs = [
        (metric, explained_by(method, network, request, clean))
        for metric in (Deletion(step=448), Insertion(step=448))
        for method in (SimpleGradient(), RandomMap())
    ]
    scores = []
    for precision in ("fp32", "mixed"):
        scored, found = measured(
            [(metric, replace(own, network=replace(network, precision=precision))) for metric, own in pairs]
        )
        scores.append(torch.cat([own.score for own in scored]))
    assert ((scores[1] - scores[0]).abs() <= 5e-4).double().mean() >= 0.99
    assert found.again < 0.4 * found.points
    assert found.off <= 5e-4
