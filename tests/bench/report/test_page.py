"""The page holds what the tables say, and says what is missing."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from simulated import SCRIPT, hostile, result_set, without

from bench.board import board_of
from bench.report import write_report
from bench.report.page import page


def _page(results) -> str:
    """The page without figures, which take most of the time."""
    return page(results, board_of(results), [])


def test_the_page_answers_first() -> None:
    text = _page(result_set(100))
    assert text.index("Which method is best?") < text.index('id="scores"')
    assert "It surely beats the second" in text
    assert "heatmark run simulated" in text


def test_the_answer_says_what_is_left_without_metrics_to_be_distrusted() -> None:
    results = result_set(100)
    scores = results.scores
    edges = scores.attribution.eq("edges") & scores.metric.eq("insertion")
    scores.loc[edges, "score"] += 1
    assert "that are not to be distrusted integrated_gradients is also first, surely ahead of" in _page(results)
    scores.loc[scores.attribution.eq("edges"), "score"] += 1 - 3 * scores.metric.eq("deletion")
    assert "Every metric that counts is to be distrusted, so this order is too." in _page(results)


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


def test_the_audit_of_a_faster_way_is_told() -> None:
    results = result_set(30)
    assert "Is the faster way good enough?" not in _page(results)
    audit = {"network": "net", "recipe": "standard", "seed": 0, "precision": "bf16", "compiler": "none", "images": 8}
    figures = {"drift": 0.00725, "flips": 0, "speed": 1.3, "tolerance": 0.002, "passed": False}
    text = _page(replace(results, manifest=results.manifest | {"audits": [audit | figures]}))
    assert "0.0073" in text
    assert "not good enough" in text
