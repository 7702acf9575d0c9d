"""The page holds what the tables say, and says what is missing."""

import hashlib
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from bench.report.figures.drawings import drawings
from bench.report.heat_table import luminance, ramp, table, two
from bench.report.page import page, shown
from bench.report.script_data import script_data
from bench.report.view import view_of
from bench.report.words import PROTOCOLS
from bench.report.write import write_report
from bench.results.result_set import read_results
from bench.scoring.protocols import DeletionProtocol, InsertionProtocol
from tests.support.simulated_results import SCRIPT, hostile, result_set, without


def _page(results) -> str:
    """The page without figures, which take most of the time."""
    return page(results, view_of(results), [])


def test_the_page_asks_first_answers_next_and_shows_the_board_after_it() -> None:
    text = _page(result_set(100))
    places = [text.index(part) for part in ("<h1>", 'class="badge', 'class="sentence"', 'id="scores"', 'id="audit"')]
    assert places == sorted(places)
    assert "<title>Which method" in text
    assert "100 images of planted" in text
    assert "heatmark run simulated" in text


def test_the_finding_has_forty_words_at_most() -> None:
    for results in (result_set(100), result_set(100, controls=()), result_set(60, recipes=("standard", "other"))):
        assert len(view_of(results).verdict.sentence.split()) <= 40


def test_nothing_that_is_empty_is_there_or_in_the_navigation() -> None:
    results = without(result_set(30), "curves", "heatmaps")
    text = _page(results)
    for section in ("gallery", "curves", "cost", "by-network"):
        assert f'id="{section}"' not in text
        assert f'href="#{section}"' not in text
    assert 'id="refused"' not in text


def test_every_link_leads_somewhere_on_the_page() -> None:
    text = _page(result_set(30))
    ids = set(re.findall(r'id="([^"]+)"', text))
    assert set(re.findall(r'href="#([^"]+)"', text)) <= ids


def test_a_cell_has_the_place_between_random_and_truth_in_two_digits_and_its_colour() -> None:
    view = view_of(result_set(200))
    rows = {line.kind: cells for line, cells in table(view)}
    for place, column in enumerate(view.columns):
        if np.isfinite(view.calibrated[0, column.metrics[0]]):
            assert (rows["random"][place].text, rows["random"][place].step) == (".00", 0)
            assert (rows["truth"][place].text, rows["truth"][place].step) == ("1.0", 10)


@pytest.mark.parametrize(
    ("place", "text"), [(0.823, ".82"), (1.0, "1.0"), (0.997, "1.0"), (1.187, "1.19"), (-0.05, "\N{MINUS SIGN}.05")]
)
def test_two_digits(place: float, text: str) -> None:
    assert two(place) == text


def test_every_colour_of_the_table_bears_readable_text() -> None:
    inks = {"#000": 0.0, "#fff": 1.0}
    for ground, ink in ramp():
        bright = luminance(np.array([int(ground[i : i + 2], 16) for i in (1, 3, 5)]) / 255)
        low, high = sorted((bright, inks[ink]))
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_protocols_of_one_metric_are_folded_into_one_column() -> None:
    ways = {"deletion": "lower", "deletion(protocol=torchcam)": "lower", "insertion": "higher"}
    results = result_set(30, metrics=ways)
    results.scores.loc[results.scores.metric.eq("deletion(protocol=torchcam)"), "protocol"] = "torchcam"
    view = view_of(results)
    folded = [column for column in view.columns if column.parent is None]
    assert [len(column.metrics) for column in folded] == [2, 1]
    assert "2 protocols" in _page(results)


def test_the_citation_is_bibtex() -> None:
    text = _page(result_set(30))
    assert "@misc{heatmark-simulated," in text


def test_writing_a_report_again_gives_the_same_bytes(tmp_path: Path) -> None:
    def digest(folder: Path) -> dict[str, str]:
        write_report(result_set(30), folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = digest(tmp_path / "a")
    assert first == digest(tmp_path / "b")
    assert {
        "index.html",
        "leaderboard.md",
        "leaderboard.tex",
        "figures/curve_deletion.svg",
        "preview.png",
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
    for line in (
        "No score at all: failing.",
        "Metrics without scores: silent.",
        "the same score: ",
        "No truth among the controls",
    ):
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
    assert "cannot be tested" in text


def test_a_metric_without_variance_is_named_and_distrusted() -> None:
    results = result_set(30)
    results.scores.loc[results.scores.metric.eq("insertion"), "score"] = 0.5
    text = _page(results)
    assert "Metrics that give every method the same score: insertion." in text


def test_missing_truth_floor_pictures_curves_and_logs_are_named() -> None:
    results = without(result_set(30, controls=()), "curves", "networks", "heatmaps")
    text = _page(results)
    for line in (
        "No truth among the controls",
        "No random control",
        "No sample heatmaps",
        "No curves were stored",
        "No training logs",
    ):
        assert line in text


def test_heatmaps_without_the_images_stand_alone() -> None:
    results = result_set(30)
    heatmaps = results.heatmaps[results.heatmaps.kind.eq("heatmap")]
    text = _page(replace(results, heatmaps=heatmaps))
    assert "their licence" in text
    assert "data:image/png" in text
    assert '"image": null' in text


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
    assert "Holm)." in text


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
    assert "that none beats in both" in text
    for outside in ('src="http', ' href="http', "url(http", "@import"):
        assert outside not in text


def test_the_audit_of_a_faster_way_is_told() -> None:
    results = result_set(30)
    assert "Is the faster way of computing good enough?" not in _page(results)
    audit = {"network": "net", "recipe": "standard", "seed": 0, "precision": "bf16", "compiler": "none", "images": 8}
    figures = {"drift": 0.00725, "flips": 0, "speed": 1.3, "tolerance": 0.002, "passed": False}
    text = _page(replace(results, manifest=results.manifest | {"audits": [audit | figures]}))
    assert "0.0073" in text
    assert "not good enough" in text
    assert "twice" not in text
    mixed = audit | figures | {"precision": "mixed", "again": 0.238, "off": 4e-4}
    assert "mixed, 24% of points twice" in _page(replace(results, manifest=results.manifest | {"audits": [mixed]}))


def test_the_promises_of_networks_are_told() -> None:
    results = result_set(30)
    assert "Promises kept" not in _page(results)
    look = {"network": "net", "recipe": "standard", "seed": 0, "kept": ["is_finite", "answers_twice_the_same"]}
    other = {**look, "network": "blind", "kept": ["is_finite"]}
    text = _page(replace(results, manifest=results.manifest | {"looks": [look, {**look, "seed": 1}, other]}))
    assert "before the first score by net: is finite, answers twice the same." in text
    assert "before the first score by blind: is finite." in text


def test_what_a_protocol_and_a_device_change_is_said_where_the_number_stands() -> None:
    results = result_set(30, metrics={"deletion": "lower", "seconds": "lower"})
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    results.manifest["device"] = "a slow one"
    results.scores.loc[results.scores.metric.eq("deletion"), "protocol"] = "attribench, step 3"
    text = _page(results)
    assert "<dt>here</dt><dd>as attribench: 100 points" in text
    assert "<dt>measured on</dt><dd>a slow one</dd>" in text


def test_every_protocol_has_words() -> None:
    assert set(PROTOCOLS) == {*get_args(DeletionProtocol), *get_args(InsertionProtocol)}


def test_the_answer_says_what_the_truth_of_a_board_is_and_leads_to_the_words() -> None:
    results = read_results(Path(__file__).parents[2] / "results" / "cub-gaze")
    view = view_of(results)
    text = page(results, view, [shown(one) for one in drawings(results, view) if one.name == "place"])
    answer = text[text.index('id="answer"') : text.index('id="board"')]
    assert "human gaze" in answer
    assert 'href="#words"' in answer


def test_the_table_has_a_legend_of_its_colours_and_signs_and_of_what_counts_nothing() -> None:
    results = result_set(100, metrics={"deletion": "lower", "seconds": "lower"})
    results.manifest["metrics"]["seconds"]["family"] = "cost"
    text = _page(results)
    legend = text[text.index('<ul class="legend"') : text.index('id="scores"')]
    assert "grey: the score itself and no place" in legend
    assert "Counts nothing in the order:</b> Seconds (what a map costs, not what it is worth)" in legend
    heads = set(re.findall(r"<summary class=[^>]*>(.*?)</summary><div>", text))
    assert heads
    assert all(f">{mark}</span>" in legend for mark in heads)


def test_the_page_says_in_a_sentence_what_the_badge_means() -> None:
    results = result_set(100)
    meaning = view_of(results).verdict.badge.meaning
    assert f'<p class="note meaning">{meaning} <a href="#words">' in _page(results)


def test_other_weights_on_a_page_of_several_networks_speak_of_these_networks() -> None:
    levels = {
        script_data(view_of(result_set(20, recipes=recipes)))["level"] for recipes in (("standard",), ("one", "other"))
    }
    assert levels == {"images", "networks"}
    assert 'board.level === "images" ? "" : " on these very networks"' in _page(result_set(20))
