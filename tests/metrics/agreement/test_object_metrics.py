import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.api import Metric
from bench.metrics.agreement.auc_judd import AucJudd
from bench.metrics.agreement.average_precision import AveragePrecision
from bench.metrics.agreement.iou import Iou
from bench.metrics.agreement.pointing_game import PointingGame
from bench.metrics.agreement.relevance_mass import RelevanceMass
from bench.metrics.agreement.relevance_rank import RelevanceRank
from tests.support.maps import explained_by_maps

METRICS = [AucJudd(), AveragePrecision(), Iou(), PointingGame(), RelevanceMass(), RelevanceRank()]


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


def slow_relevance_rank(heat: np.ndarray, hit: np.ndarray) -> float:
    area = int(hit.sum())
    edge = np.sort(heat, axis=None)[-area]
    above, level = heat > edge, heat == edge
    return float((hit[above].sum() + (area - above.sum()) * hit[level].mean()) / area)


def slow_iou(heat: np.ndarray, hit: np.ndarray) -> float:
    shared = slow_relevance_rank(heat, hit) * hit.sum()
    return float(shared / (2 * hit.sum() - shared))


def slow_average_precision(heat: np.ndarray, hit: np.ndarray) -> float:
    """For each positive: the expected precision at it, pair by pair: who is ahead, who ties (one half)."""
    values, total = heat.ravel(), 0.0
    for run in np.unique(values):
        own, ahead = hit.ravel()[values == run], hit.ravel()[values > run]
        n, r = len(own), own.sum()
        for place in range(1, n + 1):
            others = (place - 1) * (r - 1) / (n - 1) if n > 1 else 0
            total += r / n * (ahead.sum() + 1 + others) / (len(ahead) + place)
    return float(total / hit.sum())


SLOW = {
    AucJudd: slow_auc_judd,
    AveragePrecision: slow_average_precision,
    Iou: slow_iou,
    PointingGame: slow_pointing_game,
    RelevanceMass: slow_relevance_mass,
    RelevanceRank: slow_relevance_rank,
}


@given(seed=st.integers(0, 10**6))
def test_average_precision_is_the_mean_over_random_orders_of_ties(seed: int) -> None:
    heat, truth = random_pair(seed, levels=1)
    rng, hit = np.random.default_rng(seed), truth[0].ravel() >= 0.5
    scores = []
    for _ in range(400):
        order = np.lexsort((rng.random(35), heat.ravel()))[::-1]
        precision = hit[order].cumsum() / np.arange(1, 36)
        scores.append(precision[hit[order]].mean())
    got = AveragePrecision().measure(explained_by_maps(torch.from_numpy(heat), torch.from_numpy(truth))).score.item()
    assert got == pytest.approx(np.mean(scores), abs=6 * np.std(scores) / 20 + 1e-12)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
@given(seed=st.integers(0, 10**6))
def test_equals_the_definition(metric: Metric, seed: int) -> None:
    heat, truth = random_pair(seed)
    got = metric.measure(explained_by_maps(torch.from_numpy(heat), torch.from_numpy(truth))).score.item()
    assert got == pytest.approx(SLOW[type(metric)](heat[0], truth[0] >= 0.5), abs=1e-12)


# Precision is counted at hits only, so a random order has more than the object's share.
CHANCE = {
    AucJudd: 0.5,
    Iou: 12 / (2 * 64 - 12),
    AveragePrecision: np.mean([(1 + i * 11 / 63) / (i + 1) for i in range(64)]),
}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
def test_a_mask_as_the_map_is_perfect_and_a_constant_map_is_chance(metric: Metric) -> None:
    truth = torch.zeros(1, 8, 8)
    truth[0, 2:5, 3:7] = 1
    assert metric.measure(explained_by_maps(truth, truth)).score.item() == 1
    constant = metric.measure(explained_by_maps(torch.full((1, 8, 8), 0.3), truth)).score.item()
    assert constant == pytest.approx(CHANCE.get(type(metric), 12 / 64))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.label)
def test_without_an_object_there_is_no_score(metric: Metric) -> None:
    truth = torch.zeros(2, 4, 4)
    truth[0, 0, 0] = 1
    scored = metric.measure(explained_by_maps(torch.rand(2, 4, 4), truth))
    assert scored.status == ("ok", "empty truth map")
    assert scored.score.isfinite().tolist() == [True, False]
    assert metric.measure(explained_by_maps(torch.rand(1, 4, 4))).status == ("no truth map",)


@pytest.mark.parametrize("metric", [m for m in METRICS if m.name != "relevance_mass"], ids=lambda metric: metric.label)
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
