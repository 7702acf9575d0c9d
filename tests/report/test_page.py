"""The page holds what the tables say, and says what is missing."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bench.leaderboard.build import board_of
from bench.leaderboard.metric_audit import audited, findings
from bench.leaderboard.paired_tests import paired
from bench.leaderboard.place_stability import by_network, chance, hangs_on, left_out
from bench.report.figures import calibration, draw
from bench.report.page import page
from bench.report.words import PROTOCOLS, answer, steps
from bench.report.write import write_report
from bench.scoring.protocols import DeletionProtocol, InsertionProtocol
from tests.support.simulated_results import SCRIPT, hostile, result_set, without


def _page(results) -> str:
    """The page without figures, which take most of the time."""
    return page(results, audited(board_of(results)), [])


def test_the_page_answers_first() -> None:
    text = _page(result_set(100))
    assert text.index("Which method is best?") < text.index('id="scores"')
    assert "It surely beats the second" in text
    assert "heatmark run simulated" in text


def _board(results, *higher: str):
    """The audited board of results in which the edges are best under these metrics, which are to be distrusted."""
    scores = results.scores
    for metric in higher:
        sign = -1 if metric == "deletion" else 1
        scores.loc[scores.attribution.eq("edges") & scores.metric.eq(metric), "score"] += sign
    return audited(board_of(results))


def test_what_is_to_be_distrusted_does_not_count_unless_nothing_else_is_left() -> None:
    board = _board(result_set(100), "insertion")
    assert list(board.weights) == [0.5, 0, 0.5]
    said = answer(board, findings(board))
    assert said.uncounted == "What is to be distrusted does not count in the order; nor would it change who is first."
    board = _board(result_set(100), "insertion", "deletion", "pointing_game")
    assert (board.weights > 0).all()
    said = answer(board, findings(board))
    assert said.uncounted == "Every metric that counts is to be distrusted, so the order is too."
    assert said.beside[-1].startswith(
        "Against the same methods, controls that never saw the network win as much: edges"
    )


def test_ahead_on_is_a_share_of_images() -> None:
    """On 30 of 40 images a wins under both metrics, on 10 b does by far."""
    results = result_set(40, methods=("a", "b"), metrics={"one": "higher", "two": "lower"})
    scores = results.scores
    ahead = scores.image.lt("image-0030")
    for method in ("a", "b"):
        own = scores.attribution.eq(method)
        wins = ahead == (method == "a")
        scores.loc[own, "score"] = np.where(wins[own] == scores.metric[own].eq("one"), 0.6, 0.4)
    (step,) = steps(board_of(results))
    assert step.effect == 0.75


def _two_metrics(of_a: float, of_b: float):
    """Two methods alike but for what a gains under the metric one, b under the metric two."""
    results = result_set(100, methods=("a", "b"), metrics={"one": "higher", "two": "higher"})
    results.manifest["metrics"]["one"]["family"] = "sparsity"
    scores = results.scores
    scores.loc[scores.attribution.eq("a") & scores.metric.eq("one"), "score"] += of_a
    scores.loc[scores.attribution.eq("b") & scores.metric.eq("two"), "score"] += of_b
    return board_of(results)


def test_a_lead_that_hangs_on_one_metric_is_told_apart_from_whether_it_is_sure() -> None:
    board = _two_metrics(1, 0.1)
    said = answer(board, findings(board))
    assert (said.best, said.sure) == ("a", True)
    assert said.by_metric == "Metric by metric it is surely better under one; surely worse under two."
    assert said.hangs_on == ["Without one, b would be first, and surely."]


def test_a_metric_without_which_the_lead_is_no_longer_sure_is_named_with_the_p_value() -> None:
    board = _two_metrics(1, -0.03)
    (own,) = [own for own in left_out(board) if own.metric == "one"]
    first, second = board.standings[1].rows
    assert own.first == first
    assert own.tied[second] == pytest.approx(paired(board.wins[:, 1], board.run).p[first, second], abs=1e-6)
    (said,) = [said for said in hangs_on(board) if said.startswith("Without one")]
    assert "cannot be told from" in said
    assert said.endswith(f"({chance(own.tied[second])}).")
    assert hangs_on(_two_metrics(1, -1)) == ["It stays first whichever one metric is left out, and surely."]


def test_metrics_whose_loss_changes_the_same_are_named_in_one_sentence() -> None:
    results = result_set(100, methods=("a", "b"), metrics={"one": "higher", "two": "higher", "three": "higher"})
    scores = results.scores
    first = scores.attribution.eq("a")
    scores.loc[first & scores.metric.ne("three"), "score"] += 0.25
    scores.loc[first & scores.metric.eq("three"), "score"] -= 0.2
    board = board_of(results)
    assert board.overall.leaders == [0]
    (said,) = hangs_on(board)[1:]
    assert said.startswith("Without any one of one and two, a stays first, but cannot be told from b (p = ")
    assert hangs_on(board)[0] == "It stays first whichever one metric is left out."


def test_the_method_that_is_first_on_each_network_is_named() -> None:
    results = result_set(100, recipes=("standard", "adversarial"))
    assert by_network(board_of(results)).endswith("integrated_gradients is first on each of the 2 networks.")
    other = results.scores.recipe.eq("adversarial") & results.scores.attribution.eq("simple_gradient")
    results.scores.loc[other, "score"] += np.where(results.scores.metric[other].eq("deletion"), -1, 1)
    said = by_network(board_of(results))
    assert said.endswith("First on standard: integrated_gradients and adversarial: simple_gradient.")
    assert by_network(board_of(result_set(100))) == ""


def test_a_method_that_wins_more_than_the_truth_is_said_to() -> None:
    results = result_set(100)
    board = board_of(results)
    assert not any("than the truth itself" in said for said in answer(board, findings(board)).beside)
    best = results.scores.attribution.eq("integrated_gradients") & results.scores.metric.ne("deletion")
    results.scores.loc[best, "score"] += 2
    oracle = results.scores.attribution.eq("oracle") & results.scores.metric.eq("deletion")
    results.scores.loc[oracle, "score"] = 0.5
    board = board_of(results)
    (said,) = [said for said in answer(board, findings(board)).beside if "than the truth itself" in said]
    assert f"oracle, {board.overall_means.mean[list(board.entries.label).index('oracle')]:.0%}" in said


def test_no_distrust_is_no_comfort_where_most_of_the_weight_asks_for_care() -> None:
    results = result_set(100)
    worse = results.scores.attribution.eq("smooth_grad")
    results.scores.loc[worse, "score"] += np.where(results.scores.metric[worse].eq("deletion"), 0.1, -0.1)
    assert "None outright, but" not in _page(results)
    for metric, lost in (("deletion", 0.35), ("insertion", -0.35), ("pointing_game", -0.5)):
        oracle = results.scores.attribution.eq("oracle") & results.scores.metric.eq(metric)
        results.scores.loc[oracle, "score"] += lost
    board = audited(board_of(results))
    said = answer(board, findings(board))
    assert said.care_share == pytest.approx(1)
    assert "None outright, but 100% of the weight asks for care" in _page(results)


def test_writing_a_report_again_gives_the_same_bytes(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        write_report(result_set(30, recipes=("standard", "adversarial")), folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = digest(tmp_path / "a")
    assert first == digest(tmp_path / "b")
    assert {
        "index.html",
        "leaderboard.md",
        "leaderboard.tex",
        "figures/order.svg",
        "figures/curve_deletion.svg",
        "figures/gallery.png",
    } <= set(first)


def test_a_name_that_is_a_script_is_shown_and_never_run() -> None:
    metrics = {"deletion": "lower", SCRIPT: "higher"}
    results = result_set(30, methods=("integrated_gradients", "b", SCRIPT), metrics=metrics)
    results.manifest["suite"] = results.manifest["command"] = SCRIPT
    text = _page(results)
    assert SCRIPT not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert text.count("<script") == 2


@pytest.mark.parametrize("images", [1, 30])
def test_everything_that_may_go_wrong_at_once_is_still_a_report(images: int, tmp_path: Path) -> None:
    write_report(hostile(images), tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert SCRIPT not in text
    assert text.count("<script") == 2
    for line in ("No score at all: failing.", "Metrics without scores: silent.", "the same score: ", "No oracle"):
        assert line in text
    for figure in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in figure.read_text()


def test_an_entry_whose_cells_all_failed_is_named() -> None:
    results = result_set(30)
    failed = results.scores.attribution.eq("smooth_grad")
    results.scores.loc[failed, ["score", "status"]] = [np.nan, "failed: RuntimeError"]
    text = _page(results)
    assert "No score at all: smooth_grad." in text
    assert "failed: RuntimeError" in text


def test_one_image_has_no_intervals_and_no_tests() -> None:
    text = _page(result_set(1))
    assert "1 image: a mean without interval" in text
    assert "Cannot be tested" in text


def test_a_metric_without_variance_is_named_and_distrusted() -> None:
    results = result_set(30)
    results.scores.loc[results.scores.metric.eq("insertion"), "score"] = 0.5
    text = _page(results)
    assert "Metrics that give every method the same score: insertion." in text


def test_missing_truth_floor_pictures_curves_and_logs_are_named() -> None:
    results = without(result_set(30, controls=()), "curves", "networks", "heatmaps")
    text = _page(results)
    for line in ("No oracle", "No random control", "No sample heatmaps", "No curves were stored", "No training logs"):
        assert line in text


def test_heatmaps_without_the_images_stand_alone() -> None:
    results = result_set(30)
    heatmaps = results.heatmaps[results.heatmaps.kind.eq("heatmap")]
    text = _page(replace(results, heatmaps=heatmaps))
    assert "their licence" in text
    assert text.count("data:image/png") == 4 * 7


@pytest.mark.parametrize("methods", [(), ("integrated_gradients",)])
def test_a_board_of_controls_or_of_one_method_is_still_a_report(tmp_path: Path, methods: tuple[str, ...]) -> None:
    write_report(result_set(2, methods=methods), tmp_path)
    assert 'id="scores"' in (tmp_path / "index.html").read_text()


def test_one_method_alone_is_not_said_to_lack_scores() -> None:
    board = board_of(result_set(8, methods=("integrated_gradients",)))
    assert answer(board, findings(board)).first.endswith("is the only method: there is no other to win against.")


def test_a_metric_that_no_method_could_be_scored_by_does_not_spoil_the_order() -> None:
    results = result_set(30)
    refused = results.scores.metric.eq("pointing_game")
    results.scores.loc[refused, ["score", "status"]] = [np.nan, "no truth map"]
    text = _page(results)
    assert "Metrics without scores: pointing_game." in text
    assert "It surely beats the second" in text


def test_a_cost_of_methods_that_stand_in_no_order_is_not_drawn(tmp_path: Path) -> None:
    results = result_set(30, metrics={"deletion": "lower", "seconds": "lower"})
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    refused = results.scores.metric.eq("deletion")
    results.scores.loc[refused, ["score", "status"]] = [np.nan, "failed: boom"]
    write_report(results, tmp_path)
    assert not (tmp_path / "figures" / "cost_seconds.svg").exists()


def test_costs_are_drawn_against_quality_and_figures_need_nothing_from_outside(tmp_path: Path) -> None:
    results = result_set(30, metrics={"deletion": "lower", "seconds": "lower"})
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    write_report(results, tmp_path)
    text = (tmp_path / "index.html").read_text()
    assert (tmp_path / "figures" / "cost_seconds.svg").exists()
    assert "Pareto front" in text
    for outside in ('src="http', ' href="http', "url(http", "@import"):
        assert outside not in text


def test_a_cost_has_no_place_between_floor_and_ceiling() -> None:
    results = result_set(30)
    results.manifest["metrics"]["insertion"]["family"] = "cost"
    heads = [text.get_text() for text in calibration(board_of(results)).axes[0].get_xticklabels()]
    assert heads == ["deletion", "pointing_game"]


def test_the_audit_of_a_faster_way_is_told() -> None:
    results = result_set(30)
    assert "Is the faster way of computing good enough?" not in _page(results)
    audit = {"network": "net", "recipe": "standard", "seed": 0, "precision": "bf16", "compiler": "none", "images": 8}
    figures = {"drift": 0.00725, "flips": 0, "speed": 1.3, "tolerance": 0.002, "passed": False}
    text = _page(replace(results, manifest=results.manifest | {"audits": [audit | figures]}))
    assert "0.0073" in text
    assert "not good enough" in text


def test_what_a_protocol_and_a_device_change_is_said_where_the_number_stands() -> None:
    results = result_set(30, metrics={"deletion": "lower", "seconds": "lower"})
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    results.manifest["device"] = "a slow one"
    results.scores.loc[results.scores.metric.eq("deletion"), "protocol"] = "attribench, step 3"
    text = _page(results)
    assert "<dt>here</dt><dd>as attribench: 100 points" in text
    assert "<dt>measured on</dt><dd>a slow one</dd>" in text
    assert "cost on a slow one" in text


def test_every_protocol_has_words() -> None:
    assert set(PROTOCOLS) == {*get_args(DeletionProtocol), *get_args(InsertionProtocol)}


def test_a_metric_without_a_scale_is_named_beside_the_figure_and_not_drawn() -> None:
    results = result_set(30)
    assert "Left out" not in _captions(results)["calibration"]
    oracle = results.scores.attribution.eq("oracle") & results.scores.metric.eq("insertion")
    results.scores.loc[oracle, "score"] = -1.0
    heads = [text.get_text() for text in calibration(board_of(results)).axes[0].get_xticklabels()]
    assert heads == ["deletion", "pointing_game"]
    assert _captions(results)["calibration"].endswith("because on no network it is surely above: insertion.")
    assert "over 3 methods, so few that" in _captions(results)["agreement"]
    many = result_set(30, methods=[f"method_{number}" for number in range(10)])
    assert _captions(many)["agreement"].endswith("over 10 methods.")


def _captions(results) -> dict[str, str]:
    return {name: caption for name, caption, _ in draw(results, board_of(results))}
