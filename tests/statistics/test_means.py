import numpy as np
import pytest
from scipy import stats as scipy_stats

from bench.statistics.means import means, resampled


def test_means_agree_with_scipys_studentised_bootstrap_in_width_and_place() -> None:
    scores = np.random.default_rng(0).exponential(size=200)
    ours = means(scores[None, None])
    t = scipy_stats.t.interval(0.95, 199, scores.mean(), scipy_stats.sem(scores))
    assert ours.mean[0] == pytest.approx(scores.mean())
    assert ours.low[0] == pytest.approx(t[0], abs=0.03)
    assert ours.high[0] == pytest.approx(t[1], abs=0.05)
    assert ours.high[0] - ours.mean[0] > ours.mean[0] - ours.low[0]


def test_hits_and_misses_are_told_from_shares_that_happen_to_be_one() -> None:
    ones, hits = np.ones(50), np.r_[np.ones(45), np.zeros(5)]
    shares = np.linspace(0.5, 1, 50)
    nearly = np.full(50, 1 - 1e-15)
    assert means(np.stack([nearly, hits])[:, None]).low[0] == pytest.approx(0.929, abs=1e-3)
    assert np.isnan(means(np.stack([ones, shares])[:, None]).low[0])


def test_scores_of_zero_and_one_have_wilsons_interval() -> None:
    scores = np.r_[np.ones(45), np.zeros(5)]
    ours = means(scores[None, None])
    expected = scipy_stats.binomtest(45, 50).proportion_ci(method="wilson")
    assert (ours.low[0], ours.high[0]) == pytest.approx((expected.low, expected.high))


def test_refused_scores_are_left_out_and_one_image_has_no_interval() -> None:
    scores = np.full((3, 30), np.nan)
    scores[0, :25] = np.random.default_rng(0).normal(size=25)
    scores[1, 0] = 0.5
    ours = means(scores[:, None])
    assert list(ours.images) == [25, 1, 0]
    assert ours.mean[0] == pytest.approx(scores[0, :25].mean())
    assert np.isfinite([ours.low[0], ours.high[0]]).all()
    assert ours.mean[1] == 0.5
    assert np.isnan([ours.low[1], ours.high[1], ours.mean[2]]).all()


def test_a_row_has_the_same_interval_alone_as_among_others() -> None:
    scores = np.random.default_rng(0).normal(size=(4, 60))
    scores[3, 5] = np.nan
    together, alone = means(scores[:, None]), means(scores[:1, None])
    assert together.low[0] == pytest.approx(alone.low[0], rel=1e-12)
    assert together.high[0] == pytest.approx(alone.high[0], rel=1e-12)


def test_no_variance_has_no_interval() -> None:
    ours = means(np.full((1, 1, 40), 0.25))
    assert ours.mean[0] == 0.25
    assert np.isnan(ours.low[0])


def test_several_trainings_widen_the_interval_by_students_t_over_them() -> None:
    rng = np.random.default_rng(0)
    few = means(rng.normal(size=(1, 3, 4000)) * 1e-3 + np.array([0.1, 0.2, 0.6])[:, None])
    expected = scipy_stats.t.interval(0.95, 2, 0.3, scipy_stats.sem([0.1, 0.2, 0.6]))
    assert (few.low[0], few.high[0]) == pytest.approx(expected, abs=1e-3)
    same = rng.normal(size=(1, 1, 300))
    assert means(np.repeat(same, 3, axis=1)).high[0] == pytest.approx(means(same).high[0])


def test_every_resample_draws_as_many_images_as_there_are() -> None:
    drawn = resampled(np.random.default_rng(0), 50, 30)
    assert (drawn.sum(1) == 30).all()
    assert drawn.std() == pytest.approx(np.sqrt(1 - 1 / 30), abs=0.1)


def test_intervals_end_where_scores_end() -> None:
    found = means(np.array([[[0.1, 0.9, 1.0, 1.0, 1.0, 1.0]]]))
    assert found.high.max() > 1
    cut = found.within(0, 1)
    assert cut.high.max() == 1
    assert np.array_equal(cut.mean, found.mean)
    assert np.array_equal(cut.low, found.low)
