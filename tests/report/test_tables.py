import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from bench.errors import HeatmarkError
from bench.report.figures.drawings import drawings
from bench.report.heat_table import table as cells_of
from bench.report.paper_tables import latex
from bench.report.tables import leaderboard, render
from bench.report.terminal import show, show_networks, show_scores
from bench.report.view import view_of
from bench.results.result_set import Results, read_results
from tests.support.simulated_results import result_set


def test_a_leaderboard_has_a_row_per_entry_and_metric_with_the_best_first_and_controls_last() -> None:
    table = leaderboard(result_set())
    assert len(table) == 7 * 3
    assert table.entry.iloc[0] == "integrated_gradients"
    assert table.control.is_monotonic_increasing
    assert (table.low <= table["mean"]).all()
    assert (table["mean"] <= table.high).all()
    assert table.loc[table.control, "rank"].isna().all()


def test_the_mean_is_the_mean_of_the_images_and_a_lower_deletion_is_better() -> None:
    results = result_set()
    scores = results.scores[results.scores.metric.eq("deletion")]
    expected = scores.groupby("attribution").score.mean()
    table = leaderboard(results, metrics=["deletion"]).set_index("attribution")
    pd.testing.assert_series_equal(table["mean"], expected.loc[table.index], check_names=False)
    assert table["rank"].idxmin() == "integrated_gradients"


def test_entries_and_metrics_are_chosen_by_name_and_a_wrong_name_is_answered_with_the_nearest() -> None:
    table = leaderboard(result_set(), metrics=["insertion"], entries=["simple_gradient", "oracle"])
    assert list(table.entry) == ["simple_gradient", "oracle"]
    with pytest.raises(HeatmarkError, match="did you mean 'insertion'"):
        leaderboard(result_set(), metrics=["insertoin"])


def test_a_score_that_is_there_twice_is_refused() -> None:
    results = result_set()
    results.scores.loc[1, "image"] = results.scores.image[0]
    with pytest.raises(HeatmarkError, match="twice"):
        leaderboard(results)


def test_csv_and_json_hold_the_same_rows() -> None:
    table = leaderboard(result_set())
    read = pd.read_csv(io.StringIO(render(table, "csv")))
    records = json.loads(render(table, "json"))
    assert len(read) == len(records) == len(table)
    assert records[0]["mean"] == pytest.approx(read["mean"][0], abs=1e-5)


@pytest.mark.parametrize("unit", [1e-12, 1e-300, 1, 1e12, 1e300])
def test_json_and_csv_have_the_same_digits_of_scores_of_any_size(unit: float) -> None:
    results = result_set()
    results.scores["score"] *= unit
    table = leaderboard(results)
    read = pd.read_csv(io.StringIO(render(table, "csv")))
    again = pd.DataFrame(json.loads(render(table, "json")))
    for column in table.select_dtypes("number").columns:
        np.testing.assert_allclose(again[column].astype(float), read[column].astype(float), rtol=1e-12, atol=0)
    assert (again["mean"] != 0).all()


@pytest.mark.parametrize("unit", [1e-12, 1e-3, 1, 1e6, 1e200])
def test_latex_and_cells_show_digits_of_small_scores_beside_huge_ones_and_no_row_of_zeros(unit: float) -> None:
    results = result_set(metrics={"insertion": "higher"})
    results.scores["score"] *= unit
    huge = results.scores.attribution.eq("integrated_gradients")
    results.scores.loc[huge, "score"] *= 1e7
    view = view_of(results)
    for column in (view.columns[0],):
        for line in view.lines:
            mean = view.board.means.mean[line.entry, column.metrics[0]]
            (row,) = [row for row in latex(view, short=True).splitlines() if line.name in row and "&" in row]
            said = re.sub(r"\\bfseries| \{.*|\\", "", row.split("&")[2]).strip()
            assert float(said) == pytest.approx(mean, rel=0.01)
    assert max(len(cell.text) for _, cells in cells_of(view) for cell in cells) < 15


def test_markdown_and_latex_mark_the_best_and_escape_names() -> None:
    results = result_set(methods=("a_b|c", "<script>alert(1)</script>"), controls=("random_map",))
    table = leaderboard(results)
    markdown, written = render(table, "markdown"), latex(view_of(results))
    assert "a\\_b\\|c" in markdown
    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert markdown.count("**") == 8
    assert written.count(r"\bfseries") == 3
    assert r"A b\textbar{}c" in written
    assert "<script>" not in written


def test_the_terminal_shows_what_networks_get_right() -> None:
    console = Console(file=io.StringIO(), width=200, force_terminal=False)
    show_networks(result_set(recipes=("standard", "adversarial"), seeds=3).networks, console)
    lines = console.file.getvalue().splitlines()
    for recipe in ("standard", "adversarial"):
        (line,) = [line for line in lines if recipe in line]
        assert [cell.strip() for cell in line.split("│")[3:6]] == ["3", "97.0%", "31.0%"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_one_table_that_fits_and_cuts_nothing_that_tells_rows_apart(width: int) -> None:
    methods = [f"a_method_with_a_very_long_name(setting={n}, other=quite_long_too)" for n in range(3)]
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    results = result_set(methods=methods)
    show(view_of(results), console)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    rows = [line for line in lines if line[:2].strip() in {"1", "2", "3"}]
    assert len({row[3:].split("  ")[0] for row in rows}) == 3
    assert sum(" place " in f"{line} " for line in lines) == 1


def _terminal(results: Results, width: int = 80) -> str:
    """What the terminal shows, in one line."""
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    show(view_of(results), console)
    assert max(map(len, console.file.getvalue().splitlines())) <= width
    return " ".join(console.file.getvalue().split())


def test_an_order_that_is_not_that_of_the_places_is_explained() -> None:
    results = read_results(Path(__file__).parents[2] / "results" / "exact")
    said = "in the order of their differences where both have a score, and some lack scores."
    assert said in _terminal(results)
    assert said in next(drawings(results, view_of(results))).caption
    assert said not in _terminal(result_set())
    assert said not in next(drawings(result_set(), view_of(result_set()))).caption


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_names_every_metric_and_says_why_one_counts_nothing(width: int) -> None:
    results = result_set(metrics={"deletion": "lower", "likeness": "higher", "blind": "higher", "silent": "higher"})
    cards, scores = results.manifest["metrics"], results.scores
    cards["likeness"]["is_property"] = True
    scores.loc[scores.metric.eq("blind") & scores.attribution.eq("random_map"), "score"] = 2.0
    scores.loc[scores.metric.eq("silent"), ["score", "status"]] = [np.nan, "no truth map"]
    text = _terminal(results, width)
    nothing = text[text.index("Counts nothing in the order:") :]
    assert "Likeness (what a map is like, not what it is worth)" in nothing
    assert "Blind (Random map significantly beats the best method)" in nothing
    assert "Silent (no method has a score)" in nothing
    assert "Deletion" in text[text.index("Columns are means over metrics:") :]
    assert "heatmark report FOLDER --full" in nothing


def test_the_terminal_says_why_a_metric_that_counts_has_no_place() -> None:
    text = _terminal(result_set(controls=()))
    assert "Counted, but not placed: Deletion, Insertion and Pointing game: a place lies between" in text
    assert "Columns are means" not in text
    alike = _terminal(result_set(3))
    assert "the random map and the best other control cannot be told apart" in alike
    assert "not placed" not in _terminal(result_set(200))


def test_the_terminal_names_what_was_measured_of_recipes_beside_the_table() -> None:
    text = _terminal(result_set(methods=("simple_gradient",), recipes=("standard", "other")))
    shown = re.search(r"recipe (\w+) .*?accuracy, points", text)
    others = text[text.index("Measured too:") :]
    assert shown is not None
    assert len({name for name in ("Deletion", "Insertion", "Pointing game") if name in others}) == 2
    assert shown[1] not in others


def test_the_terminal_says_what_the_badge_means() -> None:
    results = result_set()
    assert view_of(results).verdict.badge.meaning in _terminal(results)


def test_the_terminal_shows_every_score_on_request() -> None:
    console = Console(file=io.StringIO(), width=80, force_terminal=False)
    view = view_of(result_set())
    show_scores(view, console)
    text = console.file.getvalue()
    assert all(f"{column.name} {column.arrow}" in text for column in view.columns)
    assert max(map(len, text.splitlines())) <= 80
    low, high = view.board.means.low[0, 0], view.board.means.high[0, 0]
    assert f"[{low:.3f}, {high:.3f}]" in text


def test_a_report_does_not_wait_for_torch() -> None:
    code = "import sys, bench.report.write, bench.statistics.comparison; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False).returncode == 0
