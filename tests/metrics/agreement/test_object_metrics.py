import numpy as np
import pytest
import torch
from helpers import explained_by_maps
from hypothesis import given
from hypothesis import strategies as st

from bench.api import Metric
from bench.metrics.agreement.auc_judd import AucJudd
from bench.metrics.agreement.pointing_game import PointingGame
from bench.metrics.agreement.relevance_mass import RelevanceMass

METRICS = [AucJudd(), PointingGame(), RelevanceMass()]


def random_pair(seed: int, levels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """A map with ties and negative values, and a soft truth map whose peak is 1."""
    rng = np.random.default_rng(seed)
    truth = rng.random((1, 5, 7))
    truth.flat[rng.integers(35)] = 1
    return rng.integers(-levels, levels, (1, 5, 7)).astype(np.float64), truth


def slow_auc_judd(heat: np.ndarray, hit: np.ndarray) -> float:
    pairs = heat[hit][:, None] - heat[~hit][None]
    return float(((pairs > 0) + 0.5 * (pairs == 0)).mean())


def slow_pointing_game(heat: np.ndarray, hit: np.ndarray) -> float:
    return float(np.mean([hit[y, x] for y, x in np.argwhere(heat == heat.max())]))


def slow_relevance_mass(heat: np.ndarray, hit: np.ndarray) -> float:
    inside = sum(max(heat[y, x], 0) for y, x in np.argwhere(hit))
    total = sum(max(value, 0) for value in heat.flat)
    return float(inside / total) if total else float(hit.mean())


SLOW = {AucJudd: slow_auc_judd, PointingGame: slow_pointing_game, RelevanceMass: slow_relevance_mass}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
@given(seed=st.integers(0, 10**6))
def test_equals_the_definition(metric: Metric, seed: int) -> None:
    heat, truth = random_pair(seed)
    got = metric.measure(explained_by_maps(torch.from_numpy(heat), torch.from_numpy(truth))).score.item()
    assert got == pytest.approx(SLOW[type(metric)](heat[0], truth[0] >= 0.5), abs=1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
def test_a_mask_as_the_map_is_perfect_and_a_constant_map_is_chance(metric: Metric) -> None:
    truth = torch.zeros(1, 8, 8)
    truth[0, 2:5, 3:7] = 1
    assert metric.measure(explained_by_maps(truth, truth)).score.item() == 1
    constant = metric.measure(explained_by_maps(torch.full((1, 8, 8), 0.3), truth)).score.item()
    assert constant == pytest.approx(metric.chance or 12 / 64)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
def test_without_an_object_there_is_no_score(metric: Metric) -> None:
    truth = torch.zeros(2, 4, 4)
    truth[0, 0, 0] = 1
    scored = metric.measure(explained_by_maps(torch.rand(2, 4, 4), truth))
    assert scored.status == ("ok", "empty truth map")
    assert scored.score.isfinite().tolist() == [True, False]
    assert metric.measure(explained_by_maps(torch.rand(1, 4, 4))).status == ("no truth map",)


@pytest.mark.parametrize("metric", [AucJudd(), PointingGame()], ids=lambda metric: metric.label)
@given(seed=st.integers(0, 10**6))
def test_only_the_order_of_the_pixels_counts(metric: Metric, seed: int) -> None:
    heat, truth = (torch.from_numpy(array) for array in random_pair(seed))
    plain = metric.measure(explained_by_maps(heat, truth)).score
    bent = metric.measure(explained_by_maps(heat.exp() * 3 - 7, truth)).score
    torch.testing.assert_close(plain, bent, rtol=0, atol=0)


def test_a_maximum_just_beside_the_object_counts_within_the_tolerance() -> None:
    heat, truth = torch.zeros(1, 9, 9), torch.zeros(1, 9, 9)
    truth[0, 4, 4], heat[0, 2, 2] = 1, 1
    pair = explained_by_maps(heat, truth)
    assert [PointingGame(tolerance).measure(pair).score.item() for tolerance in (0, 2, 3)] == [0, 0, 1]


def test_an_object_that_covers_the_image_leaves_no_area_under_a_curve() -> None:
    scored = AucJudd().measure(explained_by_maps(torch.rand(1, 4, 4), torch.ones(1, 4, 4)))
    assert scored.status == ("no other pixels",)
