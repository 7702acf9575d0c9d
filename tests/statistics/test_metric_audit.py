from dataclasses import replace

import krippendorff
import numpy as np
import pytest
from scipy import stats

from bench.statistics.build import board_of
from bench.statistics.metric_audit import agreement, calibrated, findings, flips, krippendorff_alpha, split_half
from tests.support.simulated_results import result_set

FIVE = ("a", "b", "c", "d", "integrated_gradients")


def _finding(results, metric):
    board = board_of(results)
    return findings(board)[list(board.metrics.label).index(metric)]


def test_controls_span_the_scale_from_random_to_oracle() -> None:
    board = board_of(result_set(100))
    place = dict(zip(board.entries.label, calibrated(board)[:, 0], strict=True))
    assert place["random_map"] == 0
    assert place["oracle"] == 1
    assert 0.5 < place["integrated_gradients"] < 0.8


def test_without_an_oracle_the_best_other_control_is_the_ceiling_and_without_a_floor_there_is_no_scale() -> None:
    board = board_of(result_set(100, controls=("random_map", "edges", "centre")))
    place = calibrated(board)[:, 1]
    assert np.nanmax(place[board.entries.control]) == 1
    assert place[list(board.entries.label).index("integrated_gradients")] > 1
    assert np.isnan(calibrated(board_of(result_set(100, controls=("edges",))))).all()


def test_a_metric_under_which_a_control_beats_the_best_method_is_to_be_distrusted() -> None:
    results = result_set(100)
    edges = results.scores.attribution.eq("edges") & results.scores.metric.eq("insertion")
    results.scores.loc[edges, "score"] += 1
    finding = _finding(results, "insertion")
    assert finding.verdict == "distrust"
    assert finding.reasons[0] == "Edges significantly beats the best method"
    assert len(finding.beaten["edges"]) == 3
    assert _finding(results, "deletion").verdict != "distrust"


def test_a_metric_that_puts_random_above_others_is_to_be_distrusted() -> None:
    results = result_set(100)
    random = results.scores.attribution.eq("random_map") & results.scores.metric.eq("deletion")
    results.scores.loc[random, "score"] = 0.55
    finding = _finding(results, "deletion")
    assert finding.verdict == "distrust"
    assert finding.reasons[0] == "Random map significantly beats 2 of 3 methods"
    assert "random is not last" in finding.reasons
    assert finding.random_last == 0


def test_a_metric_that_puts_random_above_the_truth_is_to_be_distrusted() -> None:
    results = result_set(100)
    own = results.scores.metric.eq("deletion")
    others = own & ~results.scores.attribution.isin(["random_map", "oracle"])
    results.scores.loc[others, "score"] -= 10
    oracle, random = (own & results.scores.attribution.eq(name) for name in ("oracle", "random_map"))
    results.scores.loc[oracle, "score"] = (
        results.scores.score[random].to_numpy() + 0.5 + 0.1 * np.arange(random.sum()) % 3
    )
    finding = _finding(results, "deletion")
    assert finding.verdict == "distrust"
    assert finding.reasons[0] == "Random map significantly beats Oracle"
    assert finding.beaten == {}


def test_one_method_behind_random_speaks_against_the_method_and_calls_for_care() -> None:
    results = result_set(100)
    lost = results.scores.attribution.eq("smooth_grad") & results.scores.metric.eq("deletion")
    results.scores.loc[lost, "score"] += 0.5
    finding = _finding(results, "deletion")
    assert finding.verdict == "care"
    assert {"Random map significantly beats 1 of 3 methods", "random is not last"} < set(finding.reasons)


def test_random_need_not_stay_behind_controls_that_look_away() -> None:
    results = result_set(100)
    random = results.scores.attribution.eq("random_map") & results.scores.metric.eq("deletion")
    results.scores.loc[random, "score"] = 0.65
    assert (
        results.scores[results.scores.attribution.eq("edges") & results.scores.metric.eq("deletion")].score.mean()
        > 0.65
    )
    assert _finding(results, "deletion").random_last == 1


def test_a_metric_that_scores_few_images_is_to_be_distrusted_and_does_not_count() -> None:
    results = result_set(100)
    own = results.scores.metric.eq("insertion")
    for images, verdict in ((30, "distrust"), (70, "care")):
        lost = own & ~results.scores.image.isin([f"image-{number:04d}" for number in range(images)])
        scores = results.scores.copy()
        scores.loc[lost, ["score", "status"]] = [np.nan, "prediction changed"]
        board = board_of(replace(results, scores=scores))
        finding = findings(board)[1]
        assert finding.verdict == verdict
        assert f"only {images}% of the images could be scored" in finding.reasons[0]
        assert (board.weights[1] > 0) == (verdict == "care")


def test_an_oracle_that_is_not_first_calls_for_care() -> None:
    results = result_set(100)
    oracle = results.scores.attribution.eq("oracle") & results.scores.metric.eq("deletion")
    results.scores.loc[oracle, "score"] += 0.35
    finding = _finding(results, "deletion")
    assert finding.verdict == "care"
    assert "the oracle is not first, or not alone" in finding.reasons


def test_a_metric_whose_halves_agree_as_if_by_chance_is_said_to_weigh_noise() -> None:
    results = result_set(100, methods=[f"method_{number}" for number in range(12)])
    own = results.scores.metric.eq("insertion")
    results.scores.loc[own, "score"] = np.random.default_rng(0).normal(size=own.sum())
    finding = _finding(results, "insertion")
    assert finding.split_half < 0.2
    assert finding.reasons[-1].endswith(f"as if by chance (reliability {finding.split_half:.2f}): its weight is noise")


def test_a_metric_without_variance_or_without_scores_says_so() -> None:
    results = result_set(30)
    results.scores.loc[results.scores.metric.eq("insertion"), "score"] = 0.5
    results.scores.loc[results.scores.metric.eq("deletion"), ["score", "status"]] = [np.nan, "empty truth map"]
    assert "all scores are the same" in _finding(results, "insertion").reasons
    assert _finding(results, "deletion").verdict == "no scores"


def test_alpha_is_the_ordinal_alpha_of_rankings() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 30)) + np.arange(5)[:, None]
    ranks = stats.rankdata(scores, axis=0)
    expected = krippendorff.alpha(reliability_data=ranks.T, level_of_measurement="ordinal")
    assert krippendorff_alpha(scores) == pytest.approx(expected)
    with_gap = scores.copy()
    with_gap[2, 4] = np.nan
    assert krippendorff_alpha(with_gap) == pytest.approx(krippendorff_alpha(np.delete(scores, 4, axis=1)))


def test_split_half_is_one_for_a_clear_order_and_near_zero_for_none() -> None:
    rng = np.random.default_rng(0)
    assert split_half(rng.normal(size=(6, 100)) * 0.1 + np.arange(6)[:, None]) == 1
    assert np.mean([split_half(rng.normal(size=(6, 100)), seed) for seed in range(20)]) == pytest.approx(0, abs=0.2)
    assert np.isnan(split_half(rng.normal(size=(2, 100))))


def test_split_half_agrees_with_a_slow_loop() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(5, 20)) + np.arange(5)[:, None] * 0.3
    slow = []
    for _ in range(400):
        order = rng.permutation(20)
        halves = (scores[:, order[:10]].mean(1), scores[:, order[10:]].mean(1))
        slow.append(stats.spearmanr(*halves).statistic)
    assert split_half(scores) == pytest.approx(np.mean(slow), abs=0.08)


def test_agreement_turns_lower_into_better() -> None:
    table = agreement(board_of(result_set(200, methods=FIVE)))
    assert table.loc["deletion", "insertion"] > 0.5
    assert (np.diag(table) == 1).all()


def test_flips_between_two_protocols_of_a_metric_and_two_settings_of_attributions() -> None:
    methods = ("a", "b", "c", "a(reduction=sum)", "b(reduction=sum)", "c(reduction=sum)")
    results = result_set(60, methods=methods, metrics={"deletion": "lower", "deletion(substrate=blur)": "lower"})
    for step, name in enumerate(methods):
        for metric, sign in (("deletion", 1), ("deletion(substrate=blur)", -1)):
            own = results.scores.attribution.eq(name) & results.scores.metric.eq(metric)
            results.scores.loc[own, "score"] += 0.3 * sign * (0, 2, 4, 5, 3, 1)[step]
    table = flips(board_of(results)).set_index("between")
    assert table.loc["deletion | deletion(substrate=blur)", "tau"] == -1
    assert table.loc["deletion | deletion(substrate=blur)", "significantly"] == 15
    reduced = table.loc["default settings | reduction=sum"]
    assert list(reduced["pairs"]) == [3, 3]
    assert (reduced.flipped == 3).all()
    results.manifest["metrics"]["deletion"]["family"] = "cost"
    assert len(flips(board_of(results))) == len(table) - 1


def test_an_oracle_that_shares_its_place_is_not_first() -> None:
    results = result_set(20)
    scores = results.scores
    top = scores.metric.eq("insertion") & scores.attribution.isin(["oracle", "edges"])
    scores.loc[top, "score"] = 1.0
    assert _finding(results, "insertion").oracle_first == 0


def test_what_could_not_be_tried_is_not_trusted() -> None:
    finding = _finding(result_set(40, methods=("a", "integrated_gradients"), controls=("edges",)), "insertion")
    assert finding.verdict == "untried"
    assert len(finding.reasons) == 2


def test_a_cost_is_measured_and_not_audited() -> None:
    results = result_set(20)
    results.manifest["metrics"]["deletion"]["family"] = "cost"
    assert _finding(results, "deletion").verdict == "cost"
