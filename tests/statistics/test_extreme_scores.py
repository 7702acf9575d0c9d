"""Scores of any size, and gaps anywhere: no significance that is none, and numbers that follow the unit."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.report.tables import leaderboard
from bench.results.result_set import Results
from bench.statistics.build import board_of
from bench.statistics.means import Array, means
from bench.statistics.metric_audit import calibrated
from bench.statistics.paired_tests import ALPHA, paired
from bench.statistics.places import between
from bench.statistics.recipe_effects import effects_of
from tests.support.simulated_results import result_set

TWO = np.zeros(2, np.int64)


def _slowly(one: Array, other: Array) -> float:
    """The p-value of two rows of scores by their differences, in the plainest way."""
    d = one - other
    n, t = len(d), d.mean() / stats.sem(d)
    w, g = t / np.sqrt(n), ((d - d.mean()) ** 3).mean() / d.std(ddof=1) ** 3
    hall = np.sqrt(n) * (w + g * w**2 / 3 + g**2 * w**3 / 27 + g / (6 * n))
    return float(max(2 * stats.t.sf(min(abs(t), abs(hall)), n - 1), 2.0 ** (1 - n)))


@pytest.mark.parametrize("size", [1e4, 1e7, 1e10, 1e100])
def test_a_method_of_enormous_scores_leaves_the_p_values_of_others(size: float) -> None:
    scores = np.random.default_rng(0).normal(size=(3, 1, 40))
    alone = paired(scores[:2], TWO)
    scores[2] = size * np.exp(scores[2])
    among = paired(scores, np.zeros(3, np.int64))
    assert among.p[0, 1] == pytest.approx(alone.p[0, 1], rel=1e-9)
    assert among.error[0, 1] == pytest.approx(alone.error[0, 1], rel=1e-9)
    assert among.p[0, 1] == pytest.approx(_slowly(*scores[:2, 0]), rel=1e-9)


@pytest.mark.parametrize("size", [1e4, 1e6, 1e8, 1e10])
def test_an_image_that_is_enormous_for_both_tells_no_two_methods_apart(size: float) -> None:
    scores = np.random.default_rng(0).normal(size=(2, 1, 40))
    expected = paired(scores, TWO).p[0, 1]
    scores[:, :, 0] += size
    assert paired(scores, TWO).p[0, 1] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("unit", [1e-320, 1e-300, 1e-160, 1e-12, 1e150, 1e300])
@pytest.mark.parametrize("images", [9, 40])
def test_another_unit_changes_nothing_but_the_unit(unit: float, images: int) -> None:
    scores = np.random.default_rng(0).normal(size=(2, 1, images))
    plain, other, rel = means(scores), means(scores * unit), 1e-2 if unit < 1e-310 else 1e-9
    for name in ("mean", "low", "high"):
        assert getattr(other, name) / unit == pytest.approx(getattr(plain, name), rel=rel)
    pairs = paired(scores * unit, TWO)
    assert pairs.p[0, 1] == pytest.approx(paired(scores, TWO).p[0, 1], rel=rel)
    assert pairs.difference[0, 1] / unit == pytest.approx(paired(scores, TWO).difference[0, 1], rel=rel)


@pytest.mark.parametrize("blocks", [2, 3, 5])
@pytest.mark.parametrize("refused", [0.3, 1.0])
def test_networks_of_other_levels_do_not_tell_a_method_apart_that_lacks_scores_on_one(
    blocks: int, refused: float
) -> None:
    rng, wrong, boards = np.random.default_rng(0), 0, 200
    for _ in range(boards):
        scores = rng.normal(size=(2, blocks, 40)) + 3.0 * np.arange(blocks)[:, None]
        scores[0, -1][rng.random(40) < refused] = np.nan
        wrong += bool(paired(scores, TWO).p[0, 1] < ALPHA)
    assert wrong / boards <= ALPHA + 2 * np.sqrt(ALPHA * (1 - ALPHA) / boards)


def test_two_methods_that_share_one_of_several_networks_are_not_tested() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 3, 40))
    scores[0, 1:] = np.nan
    pairs = paired(scores, np.zeros(3, np.int64))
    assert np.isnan(pairs.p[0, 1])
    assert np.isfinite(pairs.p[1, 2])
    assert pairs.difference[0, 1] == pytest.approx((scores[0, 0] - scores[1, 0]).mean())


def test_networks_without_an_image_in_common_differ_all_the_same() -> None:
    scores = np.random.default_rng(0).normal(size=(2, 3, 30)) * 0.01
    scores[1] += np.array([2.0, 0.1, -1.5])[:, None]
    for network in range(3):
        scores[:, network, np.arange(30) % 3 != network] = np.nan
    assert paired(scores, TWO).of_seeds[0, 1] > 0.1
    assert paired(scores, TWO).p[0, 1] > ALPHA


def test_a_place_is_that_on_the_networks_which_all_three_have() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 2, 40)) * 0.01 + np.array([0.0, 0.5, 1.0])[:, None, None]
    scores[:, 1] += 5
    scores[1, 1] = np.nan
    place, low, high = between(scores, 0, 2)
    assert place[1] == pytest.approx(0.5, abs=0.02)
    assert low[1] < 0.5 < high[1]


def _hard_images_refused() -> Results:
    """Smooth grad, no better than simple gradient, fails on the two thirds of the images that are hard for all."""
    results = result_set(60)
    scores = results.scores
    hard = scores.image.isin(scores.image.unique()[:40]) & scores.metric.eq("insertion")
    scores.loc[hard, "score"] -= 2
    scores.loc[hard & scores.attribution.eq("smooth_grad"), ["score", "status"]] = [np.nan, "failed: too hard"]
    return results


def test_who_fails_on_hard_images_is_not_first_for_it() -> None:
    results = _hard_images_refused()
    table = leaderboard(results, metrics=["insertion"])
    ranked = table[table["rank"].notna()].set_index("attribution")
    assert ranked["rank"].idxmin() == "integrated_gradients"
    assert (ranked["first"] <= ranked["rank"]).all()
    assert (ranked["rank"] <= ranked["last"]).all()
    board = board_of(results)
    row = list(board.entries.attribution).index("smooth_grad")
    assert calibrated(board)[row, list(board.metrics.metric).index("insertion")] == pytest.approx(0.4, abs=0.15)


def test_infinite_scores_count_as_none() -> None:
    results = result_set(20)
    own = results.scores.attribution.eq("smooth_grad") & results.scores.image.eq("image-0003")
    results.scores.loc[own, "score"] = np.inf
    table = leaderboard(results).set_index(["attribution", "metric"])
    assert np.isfinite(table["mean"]).all()
    assert table.images["smooth_grad", "insertion"] == 19
    assert table.refused["smooth_grad", "insertion"] == 1


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_trainings_that_all_differ_by_the_same_are_no_certainty(seeds: int) -> None:
    """Coarse scores, as shares of a few images, are alike in all trainings by chance."""
    results = result_set(10, methods=("simple_gradient",), recipes=("standard", "other"), seeds=seeds)
    scores = results.scores
    scores["score"] = (scores.image < "image-0003").astype(float)
    scores.loc[scores.recipe.eq("other") & scores.image.eq("image-0005"), "score"] = 1.0
    manifest = {**results.manifest, "question": "recipes"}
    found = effects_of(board_of(replace(results, scores=scores, manifest=manifest)))
    assert len(found) == 15
    assert all(effect.effect == pytest.approx(0.1) for effect in found)
    assert all(effect.judgement not in ("better", "worse", "more", "less") for effect in found)
    assert all(np.isnan(effect.low) and np.isinf(effect.seeds_needed) for effect in found)


def test_small_scores_are_no_hits_and_misses() -> None:
    scores = 1e-12 * np.random.default_rng(0).exponential(size=(1, 1, 60))
    found = means(scores)
    assert 0 < found.low[0] < found.mean[0] < found.high[0] < 1e-11
