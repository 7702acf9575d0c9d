"""The board of a tidy frame, as a notebook and a terminal show it."""

import re

import pandas as pd
import pytest

import bench
from bench.errors import HeatmarkError
from bench.report.tables import table_of
from bench.report.view import view_of
from tests.support.simulated_results import result_set

COLUMNS = ["image", "attribution", "metric", "score", "status"]


def test_it_is_the_board_of_the_result_set() -> None:
    results = result_set()
    pd.testing.assert_frame_equal(bench.leaderboard(results.scores).table, table_of(view_of(results).board))


def test_a_frame_of_four_columns_is_enough() -> None:
    scores = result_set().scores
    board = bench.leaderboard(scores[COLUMNS[:4]])
    assert board.table.attribution[0] == "integrated_gradients"
    assert board.table.network.unique().tolist() == ["network"]


def test_networks_are_blocks() -> None:
    scores = result_set().scores[COLUMNS]
    worse = scores.assign(network="second", score=scores.score + 0.01)
    board = bench.leaderboard(pd.concat([scores.assign(network="first"), worse]))
    assert board.view.board.level == "networks"
    assert set(board.view.networks) == {"first", "second"}


def test_a_notebook_shows_a_table_without_script() -> None:
    scores = result_set().scores.assign(suite="<script>")
    page = bench.leaderboard(scores.rename_axis("<script>"))._repr_html_()
    assert page.count("<tr") == 1 + 7
    assert "<script" not in page
    assert re.search(r"<td>1</td><td[^>]*>IG</td><td>0\.\d\d \[0\.\d\d, 0\.\d\d\]</td>", page)
    assert "Deletion ↓" in page


def test_a_terminal_shows_what_a_run_prints() -> None:
    lines = repr(bench.leaderboard(result_set().scores)).splitlines()
    assert lines[0] == "Which method explains these networks best?"
    assert max(map(len, lines)) <= 80


def test_weights_decide_the_order() -> None:
    scores = result_set().scores
    board = bench.leaderboard(scores, {"pointing_game": 1.0})
    assert board.view.board.asked == {"pointing_game": 1.0}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda frame: frame.drop(columns="score"), "frame: no column 'score', as `bench.evaluate` returns it"),
        (lambda frame: frame.rename(columns={"metric": "metrics"}), "no column 'metric'.*did you mean 'metrics'"),
        (lambda frame: pd.concat([frame, frame]), "a value twice"),
        (lambda frame: frame.assign(metric="deletio"), "no metric named 'deletio'; did you mean 'deletion'"),
        (lambda frame: frame[:0], "the result set holds no scores"),
    ],
)
def test_a_frame_that_is_none_is_one_line(spoil, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        bench.leaderboard(spoil(result_set().scores))
