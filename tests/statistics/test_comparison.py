from dataclasses import replace

import numpy as np
import pytest

from bench.errors import HeatmarkError
from bench.statistics.comparison import compare
from tests.support.simulated_results import result_set


def _changed(results, attribution, metric, by):
    scores = results.scores.copy()
    own = scores.attribution.eq(attribution) & scores.metric.eq(metric)
    scores.loc[own, "score"] += by + np.random.default_rng(1).normal(0, 0.02, own.sum())
    return replace(results, scores=scores)


def test_the_same_results_have_not_changed() -> None:
    comparison = compare(result_set(), result_set())
    assert comparison.table.verdict.eq("same").all()
    assert not comparison.regressed


def test_worse_is_higher_deletion_or_lower_insertion() -> None:
    before = result_set()
    for metric, by in (("deletion", 0.1), ("insertion", -0.1)):
        comparison = compare(before, _changed(before, "smooth_grad", metric, by))
        worse = comparison.table[comparison.table.verdict.eq("worse")]
        assert list(worse.attribution) == ["smooth_grad"]
        assert worse.change.iloc[0] == pytest.approx(by, abs=0.02)
        assert comparison.regressed
        better = compare(_changed(before, "smooth_grad", metric, by), before)
        assert not better.regressed
        assert better.table.verdict.eq("better").sum() == 1


def test_noise_alone_is_no_change() -> None:
    comparison = compare(result_set(), result_set(rng_seed=1))
    assert comparison.table.verdict.eq("same").all()


def test_networks_trained_anew_are_two_samples_of_trainings_and_the_same_weights_are_one() -> None:
    before = result_set(60, seeds=3)
    shift = before.scores.seed.map({0: 0.0, 1: 0.5, 2: -0.5})
    after = replace(before, scores=before.scores.assign(score=before.scores.score + 0.1 + shift))
    before = replace(before, scores=before.scores.assign(score=before.scores.score + shift))
    anew = replace(after, networks=after.networks.assign(weights=after.networks.weights.str.replace("0", "1")))
    assert (compare(before, anew).table.error > 0.3).all()
    assert (compare(before, after).table.error < 1e-6).all()


def test_what_is_gone_or_refused_is_a_regression_and_what_is_new_is_not() -> None:
    few, many = result_set(metrics={"deletion": "lower"}), result_set()
    assert compare(many, few).regressed
    assert any("insertion" in name for name in compare(many, few).missing)
    assert not compare(few, many).regressed
    assert len(compare(few, many).added) == 2
    failed = result_set()
    own = failed.scores.attribution.eq("smooth_grad") & failed.scores.metric.eq("deletion")
    failed.scores.loc[own, ["score", "status"]] = [np.nan, "failed: boom"]
    comparison = compare(many, failed)
    assert comparison.regressed
    assert comparison.table.set_index(["attribution", "metric"]).verdict["smooth_grad", "deletion"] == "refused"


def test_result_sets_without_anything_in_common_are_an_error() -> None:
    with pytest.raises(HeatmarkError, match="share no"):
        compare(result_set(metrics={"deletion": "lower"}), result_set(metrics={"insertion": "higher"}))


@pytest.mark.parametrize(("version", "same"), [("0.4", True), ("0.5", False)])
def test_protocols_from_before_versions_are_compared_with_the_version_they_were(version: str, same: bool) -> None:
    before, after = "deletion(protocol=torchcam)", f"deletion(protocol=torchcam-{version})"
    first = result_set(metrics={before: "lower", "insertion": "higher"})
    first.scores.loc[first.scores.metric.eq(before), "protocol"] = "torchcam"
    second = result_set(metrics={after: "lower", "insertion": "higher"})
    second.scores.loc[second.scores.metric.eq(after), "protocol"] = f"torchcam-{version}"
    comparison = compare(first, second)
    assert set(comparison.table.metric) == ({before, "insertion"} if same else {"insertion"})
    assert bool(comparison.missing) is not same


def test_images_of_one_set_alone_are_counted() -> None:
    whole = result_set(40)
    part = replace(whole, scores=whole.scores[whole.scores.image < "image-0030"])
    assert (compare(whole, part).left, compare(whole, part).new) == (10, 0)
    assert (compare(part, whole).left, compare(part, whole).new) == (0, 10)
    assert compare(whole, part).table.images.eq(30).all()


def test_means_are_over_the_images_that_both_scored() -> None:
    before, after = result_set(seeds=3), result_set(seeds=3)
    own = after.scores.metric.eq("insertion") & after.scores.seed.eq(1)
    after.scores.loc[own & after.scores.image.lt("image-0010"), ["score", "status"]] = [np.nan, "failed: boom"]
    alone = before.scores.seed.gt(0) | before.scores.image.gt("image-0004")
    table = compare(replace(before, scores=before.scores[alone]), after).table
    assert table.change.abs().max() < 1e-12


def test_result_sets_of_two_data_sets_are_not_compared() -> None:
    other = result_set()
    other.manifest["dataset"]["label"] = "pairs(size=8)"
    with pytest.raises(HeatmarkError, match="of planted and of pairs"):
        compare(result_set(), other)
