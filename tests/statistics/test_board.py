from dataclasses import replace

import numpy as np
import pytest

from bench.errors import HeatmarkError
from bench.results.result_set import read_results, write_results
from bench.statistics.build import board_of, entry_board
from bench.statistics.paired_tests import paired, superiority
from bench.statistics.wins import overall_scores, wins
from tests.support.simulated_results import result_set


def test_the_best_is_surely_first_and_equal_methods_share_a_group() -> None:
    overall = board_of(result_set(100)).overall
    labels = board_of(result_set(100)).entries.label
    assert labels[overall.rows[0]] == "integrated_gradients"
    assert overall.leaders == overall.rows[:1]
    assert overall.letters == ["a", "b", "b"]
    assert list(overall.first) == [1, 2, 2]
    assert list(overall.last) == [1, 3, 3]


def test_wins_are_counted_image_by_image_against_the_methods_alone() -> None:
    quality = np.array([[3.0, 1, np.nan], [2, 1, 0], [1, 2, 1], [9, 9, 9]])[:, None, None]
    shares = wins(quality, [0, 1, 2])[:, 0, 0]
    expected = [[1, 0.25, np.nan], [0.5, 0.25, 0], [0, 1, 1], [1, 1, 1]]
    np.testing.assert_allclose(shares, expected)


def test_what_rounding_puts_apart_is_the_same() -> None:
    rng = np.random.default_rng(0)
    right = rng.uniform(0.8, 1, 40)
    noise = np.abs(rng.normal(size=40)) * 3e-9  # to one side on every image, as of single precision
    clear = right - rng.uniform(0.01, 0.1, 40)
    scores = np.stack([right + noise, right, clear])
    for size in (1e-5, 1, 1e5):  # of scores of any unit
        shares = wins(size * scores[:, None, None], [0, 1, 2])[:, 0, 0]
        np.testing.assert_allclose(shares, np.broadcast_to([[0.75], [0.75], [0]], (3, 40)))
        pairs = paired(size * scores[:, None], np.zeros(3, np.int64))
        assert pairs.equal[0, 1]
        assert pairs.p[0, 1] == 1
        assert max(pairs.p[0, 2], pairs.p[1, 2]) < 1e-9
        assert superiority(size * scores[:, None])[0].tolist() == [0.5, 0.5, 1]


def test_the_mean_over_images_is_the_weighted_mean_of_the_metrics_also_where_scores_are_missing() -> None:
    rng = np.random.default_rng(0)
    shares = rng.random((4, 3, 2, 30))
    shares[:, 1, :, 20:] = np.nan
    shares[3, 2] = np.nan
    weights = np.array([0.5, 0.3, 0.2])
    total = overall_scores(shares, weights)
    np.testing.assert_allclose(total[:3].mean((1, 2)), np.nanmean(shares[:3], (2, 3)) @ weights)
    assert np.isnan(total[3]).all()


def test_families_count_alike_and_cost_counts_nothing() -> None:
    results = result_set(
        metrics={"deletion": "lower", "insertion": "higher", "pointing_game": "higher", "seconds": "lower"}
    )
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    board = board_of(results)
    assert dict(zip(board.metrics.label, board.weights, strict=True)) == {
        "deletion": 0.25,
        "insertion": 0.25,
        "pointing_game": 0.5,
        "seconds": 0,
    }


def test_weights_that_are_asked_for_decide_the_order() -> None:
    results = result_set(metrics={"deletion": "lower", "insertion": "higher"})
    bad = results.scores.attribution.eq("integrated_gradients") & results.scores.metric.eq("insertion")
    results.scores.loc[bad, "score"] -= 5
    board = board_of(results, {"deletion": 1})
    assert board.entries.label[board.overall.rows[0]] == "integrated_gradients"
    board = board_of(results, {"insertion": 2})
    assert board.entries.label[board.overall.rows[-1]] == "integrated_gradients"
    assert list(board.weights) == [0, 1]
    with pytest.raises(HeatmarkError, match="did you mean 'deletion'"):
        _ = board_of(results, {"deletoin": 1}).weights


def test_a_method_that_a_metric_cannot_score_is_not_ranked_over_all() -> None:
    results = result_set()
    failed = results.scores.attribution.eq("smooth_grad") & results.scores.metric.eq("insertion")
    results.scores.loc[failed, ["score", "status"]] = [np.nan, "failed: no gradient"]
    board = board_of(results)
    names = [board.entries.label[row] for row in board.order]
    assert names[:3] == ["integrated_gradients", "simple_gradient", "smooth_grad"]
    assert len(board.overall.rows) == 2
    assert len(board.standings[0].rows) == 3
    assert np.isnan(board.overall_means.mean[board.order[2]])


def test_seeds_of_networks_are_a_second_sample() -> None:
    one, several = (entry_board(result_set(60, seeds=seeds, recipes=("standard", "adversarial"))) for seeds in (1, 3))
    assert several.scores.shape[2] == 3
    assert set(several.run) == {0, 1}
    assert several.entries.label[0] == "standard / integrated_gradients"
    assert (several.pairs[0].of_seeds >= 0).all()
    assert several.pairs[0].of_seeds.max() > one.pairs[0].of_seeds.max() == 0


def test_seeds_are_counted_within_a_network_not_by_their_number() -> None:
    results = result_set(recipes=("standard", "adversarial"))
    results.scores.loc[results.scores.recipe.eq("adversarial"), "seed"] = 7
    assert entry_board(results).scores.shape[2] == 1


def test_results_read_from_disk_give_the_same_board(tmp_path) -> None:
    results = result_set()
    write_results(results, tmp_path)
    again = read_results(tmp_path)
    np.testing.assert_array_equal(board_of(again).scores, board_of(results).scores)
    write_results(again, tmp_path / "again")
    assert (tmp_path / "again" / "scores.parquet").read_bytes() == (tmp_path / "scores.parquet").read_bytes()


def test_a_result_set_without_scores_is_refused() -> None:
    results = result_set()
    with pytest.raises(HeatmarkError, match="holds no scores"):
        board_of(replace(results, scores=results.scores.iloc[:0]))


def test_labels_have_settings_and_protocols_only_where_they_tell_apart() -> None:
    results = result_set(4, methods=("a(steps=8)", "a(steps=9)", "b(steps=8)"), metrics={"gini(x=1)": "higher"})
    assert list(board_of(results).entries.label)[:3] == ["a(steps=8)", "a(steps=9)", "b"]
    assert list(board_of(results).metrics.label) == ["gini"]
    several = result_set(4, methods=("b(steps=8)",), recipes=("standard", "madry"))
    assert "madry / b" in set(entry_board(several).entries.label)
