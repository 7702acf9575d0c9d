import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.anova import AnovaRM
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import normal_power

from bench.statistics.means import seed_variance
from bench.statistics.paired_tests import ALPHA, groups, holm, images_needed, paired, rank_intervals, superiority

ONE_RUN = np.zeros(3, np.int64)


def test_a_pair_is_the_paired_t_test_where_differences_are_symmetric() -> None:
    rng = np.random.default_rng(0)
    half = rng.normal(size=(3, 1, 60)) + np.array([0, 0.2, 0.5])[:, None, None]
    centre = half.mean(2, keepdims=True)
    scores = np.concatenate([half, 2 * centre - half], axis=2)  # every difference has a mirror image: no skewness
    pairs = paired(scores, ONE_RUN)
    for one, other in itertools.combinations(range(3), 2):
        expected = stats.ttest_rel(scores[one, 0], scores[other, 0])
        assert pairs.p[one, other] == pytest.approx(expected.pvalue, rel=1e-9)
        assert pairs.difference[one, other] == pytest.approx((scores[one] - scores[other]).mean())
        assert pairs.error[one, other] == pytest.approx(stats.sem(scores[one, 0] - scores[other, 0]))


def test_a_skewed_pair_has_the_larger_of_two_p_values_computed_slowly() -> None:
    scores = np.random.default_rng(1).lognormal(size=(3, 1, 40))
    scores[2, 0, 5:9] = np.nan
    pairs = paired(scores, ONE_RUN)
    for one, other in itertools.permutations(range(3), 2):
        d = scores[one, 0] - scores[other, 0]
        d = d[np.isfinite(d)]
        n, w = len(d), d.mean() / d.std(ddof=1)
        g = ((d - d.mean()) ** 3).mean() / d.std(ddof=1) ** 3
        hall = np.sqrt(n) * (w + g * w**2 / 3 + g**2 * w**3 / 27 + g / (6 * n))
        expected = 2 * stats.t.sf(min(abs(hall), abs(np.sqrt(n) * w)), n - 1)
        assert pairs.images[one, other] == n
        assert pairs.p[one, other] == pytest.approx(max(expected, 2.0 ** (1 - n)), rel=1e-6)


def test_few_or_tied_images_never_pass_for_certainty() -> None:
    scores = np.array([[[1.0, 1, 1]], [[0, 0, 0]], [[np.nan, np.nan, 1]]])
    pairs = paired(scores, ONE_RUN)
    assert pairs.p[0, 1] == 2.0**-2
    assert np.isnan(pairs.p[0, 2])
    alike = paired(np.ones((2, 1, 50)), np.zeros(2, np.int64))
    assert alike.p[0, 1] == 1


def test_the_component_of_the_seeds_is_that_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(2)
    scores = rng.normal(size=(1, 4, 25)) + rng.normal(size=(1, 4, 1))
    frame = pd.DataFrame({"score": scores.ravel(), "seed": np.repeat(range(4), 25), "image": np.tile(range(25), 4)})
    table = AnovaRM(frame, "score", "image", within=["seed"]).fit().anova_table
    by_seed = frame.groupby("seed").score.mean().var() * 25
    residual = by_seed / table["F Value"].iloc[0]
    variance, trainings = seed_variance(scores)
    assert trainings[0] == 4
    assert variance[0] == pytest.approx((by_seed - residual) / 25 / 4)


def test_entries_of_one_run_share_what_training_did_to_them() -> None:
    rng = np.random.default_rng(3)
    scores = rng.normal(size=(2, 3, 50)) * 0.1 + rng.normal(size=(1, 3, 1)) + np.array([0, 0.3])[:, None, None]
    assert paired(scores, np.array([0, 0])).p[0, 1] < 1e-3
    assert paired(scores, np.array([0, 1])).p[0, 1] > 0.3


def test_holm_is_that_of_statsmodels_over_the_pairs_that_were_asked_for() -> None:
    p = np.array([[np.nan, 0.01, 0.04], [0.01, np.nan, 0.03], [0.04, 0.03, np.nan]])
    adjusted = holm(p, np.ones((3, 3), bool))
    expected = multipletests([0.01, 0.04, 0.03], method="holm")[1]
    assert adjusted[np.triu_indices(3, 1)] == pytest.approx(expected)
    fewer = np.ones((3, 3), bool)
    fewer[1, 2] = fewer[2, 1] = False
    assert np.isnan(holm(p, fewer)[1, 2])
    assert holm(p, fewer)[0, 1] == pytest.approx(0.02)


@given(st.integers(0, 7).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2 ** (n * (n - 1) // 2) - 1))))
def test_groups_are_the_largest_sets_in_which_nothing_differs(case: tuple[int, int]) -> None:
    count, bits = case
    different = np.zeros((count, count), bool)
    for number, (one, other) in enumerate(itertools.combinations(range(count), 2)):
        different[one, other] = different[other, one] = bits >> number & 1
    subsets = [s for r in range(1, count + 1) for s in itertools.combinations(range(count), r)]
    alike = [set(s) for s in subsets if not different[np.ix_(s, s)].any()]
    largest = sorted(sorted(s) for s in alike if not any(s < other for other in alike))
    assert groups(different) == largest


def test_an_entry_may_have_every_rank_that_the_tests_leave_open() -> None:
    difference = np.array([[0, 1, 2], [-1, 0, 1], [-2, -1, 0.0]])
    adjusted = np.array([[np.nan, 0.2, 0.01], [0.2, np.nan, 0.3], [0.01, 0.3, np.nan]])
    first, last = rank_intervals(difference, adjusted)
    assert list(first) == [1, 1, 2]
    assert list(last) == [2, 3, 3]


def test_superiority_counts_images_and_half_of_the_ties() -> None:
    scores = np.array([[[1, 2, 3, np.nan]], [[1, 1, 4, 0.0]]])
    share = superiority(scores)
    assert share[0, 1] == pytest.approx(1.5 / 3)
    assert share[0, 1] + share[1, 0] == 1


def test_images_needed_give_the_power_they_promise() -> None:
    scores = np.random.default_rng(4).normal(size=(2, 1, 100)) + np.array([0.2, 0])[:, None, None]
    pairs = paired(scores, np.zeros(2, np.int64))
    needed = images_needed(pairs, tests=3)[0, 1]
    effect = abs(pairs.difference[0, 1]) / (pairs.error[0, 1] * 10)
    assert normal_power(effect, needed, ALPHA / 3) == pytest.approx(0.8, abs=1e-3)
    assert np.isinf(images_needed(paired(np.ones((2, 1, 9)), np.zeros(2, np.int64)), 1)[0, 1])
