from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.leaderboard.build import board_of, network_boards
from bench.leaderboard.metric_audit import audited
from bench.leaderboard.verdict import Verdict, verdict_of
from bench.results.result_set import Results, read_results
from tests.support.simulated_results import result_set

RESULTS = Path(__file__).parents[2] / "results"


def _on_networks(count: int, **about: object) -> Results:
    """The same kind of scores on several networks."""
    parts = [result_set(**about) for _ in range(count)]  # type: ignore[arg-type]
    first = parts[0]
    tables = {}
    for name in ("scores", "networks"):
        frames = [getattr(part, name).assign(network=f"network_{number}") for number, part in enumerate(parts)]
        tables[name] = pd.concat(frames, ignore_index=True)
    return Results(**tables, curves=first.curves, heatmaps=first.heatmaps, manifest=first.manifest)


def _verdict(results: Results) -> Verdict:
    return verdict_of(audited(board_of(results)))


def test_over_several_networks_a_row_is_a_method_and_the_networks_are_blocks() -> None:
    results = _on_networks(3, images=40)
    board = board_of(results)
    assert board.level == "networks"
    assert board.blocks == ("network_0", "network_1", "network_2")
    assert board.scores.shape[2] == 3
    assert not any("network" in label for label in board.entries.label)
    each = network_boards(results)
    assert list(each) == list(board.blocks)
    for block, own in enumerate(each.values()):
        np.testing.assert_array_equal(board.scores[:, :, block], own.scores[:, :, 0])


def test_methods_meet_within_a_network_alone() -> None:
    results = _on_networks(2, images=40)
    easier = results.scores.network.eq("network_1")
    results.scores.loc[easier, "score"] += np.where(results.scores.metric[easier].eq("deletion"), -9.0, 9.0)
    before = board_of(_on_networks(2, images=40))
    np.testing.assert_allclose(board_of(results).overall_scores, before.overall_scores)


def test_seeds_are_averaged_below_their_network() -> None:
    results = _on_networks(2, images=20, seeds=3)
    board = board_of(results)
    assert board.scores.shape[2] == 2
    own = results.scores[results.scores.metric.eq("deletion") & results.scores.network.eq("network_1")]
    own = own[own.attribution.eq("smooth_grad")]
    row = list(board.entries.attribution).index("smooth_grad")
    expected = own.groupby("image", observed=True).score.mean()[list(board.images)]
    np.testing.assert_allclose(board.scores[row, list(board.metrics.label).index("deletion"), 1], expected)


@pytest.mark.parametrize("name", ["embedded", "protocols", "cub-gaze"])
def test_places_lie_between_random_and_truth(name: str) -> None:
    verdict = _verdict(read_results(RESULTS / name))
    assert verdict.scale == "random to truth"
    ends = {own.method: own.place for own in verdict.controls}
    assert ends["random_map"] == pytest.approx(0)
    assert ends["oracle"] == pytest.approx(1)
    assert [own.place for own in verdict.rows] == sorted((own.place for own in verdict.rows), reverse=True)
    assert all(own.low < own.place < own.high for own in verdict.rows)


def test_a_board_without_controls_says_that_it_was_not_tested() -> None:
    assert _verdict(result_set(60, controls=())).badge.text == "cannot be tested: no controls on this board"


def test_a_lead_that_one_metric_carries_is_not_clear() -> None:
    badge = _verdict(read_results(RESULTS / "protocols")).badge
    assert (badge.kind, badge.text) == ("hangs", "hangs on relevance_mass and auc_judd")
