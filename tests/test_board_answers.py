"""The page that answers from all boards: its numbers are those of the per-image scores."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bench.results.result_set import read_results
from bench.statistics.build import network_boards

ROOT = Path(__file__).parents[1]
BOARD = ROOT / "results" / "gnl2020-imagenette"


def script() -> Any:
    spec = importlib.util.spec_from_file_location("board_answers", ROOT / "docs/extensions/board_answers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_difference_is_that_of_the_scores_and_positive_where_better() -> None:
    scores = pd.read_parquet(BOARD / "scores.parquet")
    own = network_boards(read_results(BOARD))
    for metric, sign in (("insertion", 1), ("deletion", -1)):
        for network, board in own.items():
            chosen = scores[scores.network.eq(network) & scores.metric.str.startswith(metric)]
            table = chosen.pivot_table(index="image", columns="attribution", values="score")
            label = next(name for name in board.metrics.label if name.startswith(metric))
            names = sorted(name for name in table if "integrated_gradients" in name)
            apart = sign * (table[names[0]] - table[names[1]])
            found = script().difference(board, label, names[0], names[1])
            assert found.value == pytest.approx(apart.mean())
            half = stats.t.ppf(0.975, len(apart) - 1) * apart.sem()
            assert found.high - found.low == pytest.approx(2 * half, rel=0.35)  # which skewness may widen
            assert found.low < found.value < found.high


def test_a_correlation_is_spearman_s_of_the_means() -> None:
    board = network_boards(read_results(BOARD))["squeezenet1_1"]
    first = board.metrics.label[0]
    assert script().correlation(board, first, first).value == pytest.approx(1)
    centres = board.centres[board.methods]
    other = script().correlation(board, first, board.metrics.label[1])
    assert other.value == pytest.approx(np.sign(np.diff(centres[:, 0])[0] * np.diff(centres[:, 1])[0]))


def test_what_the_readme_of_the_in_domain_board_says_is_what_its_scores_say() -> None:
    own, folder = script(), ROOT / "results" / "in_domain"
    (board,) = network_boards(read_results(folder)).values()
    said = " ".join((folder / "README.md").read_text().split())
    others = ("srg", "deletion", "insertion", "road")
    row = [_rounded(own.rank_agreement(board, "single_deletion", other)) for other in others]
    assert f"| single deletion (in-domain) | {' | '.join(row)} |" in said
    assert f"({_rounded(own.rank_agreement(board, 'insertion', 'road'))})" in said
    ahead = own.difference(board, "single_deletion", "integrated_gradients", "guided_backprop")
    assert f"+{ahead.value:.2f} [+{ahead.low:.2f}, +{ahead.high:.2f}] in-domain" in said
    for metric, name in (("insertion", "insertion"), ("road", "ROAD"), ("srg", "SRG")):
        behind = own.difference(board, metric, "guided_backprop", "integrated_gradients")
        assert f"{_rounded(behind)} under {name}" in said
    means = zip(board.entries.attribution, board.means.mean, board.means.low, board.means.high, strict=True)
    single = list(board.metrics.label).index("single_deletion")
    found = {name: _rounded(own.Interval(*(end[single] for end in ends))) for name, *ends in means}
    assert f"({found['guided_backprop']}, random map {found['random_map']})" in said
    assert f"in-domain ({found['oracle']})" in said


def _rounded(own: Any) -> str:
    return f"{own.value:.2f} [{own.low:.2f}, {own.high:.2f}]"


def test_kendalls_tau_is_scipys_of_the_mean_scores() -> None:
    scores = pd.read_parquet(ROOT / "results" / "in_domain" / "scores.parquet")
    (board,) = network_boards(read_results(ROOT / "results" / "in_domain")).values()
    methods = [board.entries.attribution[row] for row in board.methods]
    table = scores.astype({"attribution": str, "metric": str}).pivot_table(
        index="attribution", columns="metric", values="score"
    )
    slow = stats.kendalltau(table.single_deletion[methods], -table.deletion[methods]).statistic
    assert script().rank_agreement(board, "single_deletion", "deletion").value == pytest.approx(slow)


@pytest.mark.long
def test_the_page_is_as_the_script_writes_it() -> None:
    own = script()
    assert (ROOT / "docs" / "answers.md").read_text() == own.answers(own.RESULTS, own.boards(own.RESULTS))
