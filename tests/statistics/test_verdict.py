import re
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

from bench.results.result_set import Results, read_results
from bench.statistics.build import board_of, network_boards
from bench.statistics.metric_audit import audited
from bench.statistics.names import listed
from bench.statistics.question import MEANINGS, Words
from bench.statistics.verdict import Verdict, verdict_of
from tests.support.published import quick_first
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
    assert ends["Random"] == pytest.approx(0)
    assert ends["Truth"] == pytest.approx(1)
    assert [own.place for own in verdict.rows] == sorted((own.place for own in verdict.rows), reverse=True)
    assert all(own.low < own.place < own.high for own in verdict.rows)


def test_a_board_without_controls_says_that_it_was_not_tested() -> None:
    assert _verdict(result_set(60, controls=())).badge.text == "cannot be tested: no controls on this board"


PUBLISHED = sorted(path.parent for path in RESULTS.rglob("scores.parquet"))


@pytest.mark.parametrize("folder", quick_first(PUBLISHED))
def test_a_published_board_says_its_finding_in_forty_words_and_its_badge_is_explained(
    folder: Path,
) -> None:
    verdict = _verdict(read_results(folder))
    assert len(verdict.sentence.split()) <= 40
    assert verdict.sentence.endswith(".")
    assert "surely" not in verdict.sentence
    # "3 of 34 metrics fail" is explained as "metrics fail"
    badge = verdict.badge
    assert badge.words.split()[-1] in badge.text or badge.text.startswith("the winner depends on")


def test_those_that_cannot_be_told_from_the_first_are_named_with_it() -> None:
    verdict = _verdict(read_results(RESULTS / "cub-gaze"))
    first = set(verdict.rows[0].group.split())
    alike = [own.method for own in verdict.rows if first & set(own.group.split())]
    assert verdict.sentence.startswith(f"{listed(alike)} cannot be told apart: {alike[0]} leads {alike[1]}, ")
    assert verdict.sentence.endswith("more images would tell the first two.")


def test_three_images_do_not_say_how_many_it_would_take() -> None:
    alike = ("simple_gradient", "smooth_grad")
    few, more = (_verdict(result_set(images, alike)).sentence for images in (3, 30))
    assert "cannot be told apart" in few
    assert "more images" not in few
    assert "more images" in more


def test_thousands_of_networks_are_no_advice() -> None:
    assert _verdict(read_results(RESULTS / "exact")).badge.text == "not told apart: more networks, not images"


def test_gnl2020_answers_its_question_in_its_headline() -> None:
    verdict = _verdict(read_results(RESULTS / "gnl2020-imagenette"))
    assert verdict.sentence.startswith(
        "GNL-IG beats IG, 79% to 21% of their comparisons, significantly (p < .05, Holm)"
    )
    assert verdict.sentence.endswith(" on each of these 2 networks.")
    assert verdict.badge.text == "shown on 2 networks"
    assert "IG (21%) lies below what ignores the network: Edges (33%)." in verdict.reasons
    assert any(reason.startswith("There is no truth here") for reason in verdict.reasons)
    assert "2 networks are too few to speak of others." in verdict.reasons
    first, second = verdict.rows
    assert (verdict.over, first.group, second.group) == ("the images of these networks", "", "")
    assert first.low > second.high
    assert [own.method for own in verdict.rows] == ["GNL-IG", "IG"]


RECIPES = [folder for folder in PUBLISHED if "recipes" in str(folder)]


@pytest.mark.parametrize("folder", RECIPES, ids=lambda folder: folder.name)
def test_recipes_have_effects_and_prices_and_no_winner(folder: Path) -> None:
    verdict = _verdict(read_results(folder))
    assert not verdict.rows
    assert "points of accuracy" in verdict.sentence
    assert any(effect.recipe in verdict.sentence and effect.metric in verdict.sentence for effect in verdict.effects)
    assert not any(word in verdict.sentence for word in ("best", "wins", "winner", "ahead"))
    assert verdict.badge.kind == "cannot be tested"
    assert all(np.isfinite(effect.p) == (len(effect.points) > 1) for effect in verdict.effects)


def test_a_board_whose_recipes_train_on_its_measures_says_how_many_lower_them_and_the_price() -> None:
    verdict = _verdict(read_results(RESULTS / "recipes-planted" / "regularizers"))
    assert verdict.sentence.startswith("14 of 14 recipes improve what they train on: Gradient-regu")
    assert "(l2, scale 1000) changes Gradient penalty by -52% for -0.6 points of accuracy" in verdict.sentence


def test_protocols_answers_its_question_first_and_says_then_what_its_winner_depends_on() -> None:
    verdict = _verdict(read_results(RESULTS / "protocols"))
    assert verdict.sentence.startswith(
        "Another protocol swaps 8% of the pairs of methods (none significantly), reading"
    )
    assert ", reading maps otherwise (sum) swaps 50% (27% significantly). The winner" in verdict.sentence
    end = "wins only while Relevance mass and AUC-Judd both count and is level with the truth itself."
    assert verdict.sentence.endswith(f". The winner, Guided backprop, {end}")
    assert (verdict.badge.kind, verdict.badge.text) == ("depends", "the winner depends on Relevance mass and AUC-Judd")


def test_a_clear_lead_is_called_clear_and_has_a_size() -> None:
    verdict = _verdict(result_set(100))
    assert verdict.badge.kind == "clear"
    assert "significantly (p < .05, Holm)" in verdict.sentence
    ends = re.search(r"beats .*, (\d+)% to (\d+)% of the way from random to truth", verdict.sentence)
    assert ends is not None
    assert int(ends[1]) > int(ends[2])
    lead = next(lead for lead in verdict.leads if lead.metric == "Insertion")
    assert lead.judgement == "ahead"
    assert lead.difference > 0 < lead.share < 1


def test_a_winner_that_loses_to_a_blind_control_is_told_so_in_the_headline() -> None:
    results = result_set(100, controls=("random_map", "edges"))
    edges = results.scores.attribution.eq("edges")
    results.scores.loc[edges, "score"] += np.where(results.scores.metric[edges].eq("deletion"), -0.9, 0.9)
    board = board_of(results)
    assert "loses to Edges" in verdict_of(board).sentence


def test_what_is_nearer_than_matters_is_equal_whatever_its_p() -> None:
    results = result_set(100)
    assert _verdict(results).badge.kind == "clear"
    results.manifest["smallest"] = dict.fromkeys(results.manifest["metrics"], 10.0)
    verdict = _verdict(results)
    assert "are equal: nearer than matters under every metric" in verdict.sentence
    assert {lead.judgement for lead in verdict.leads} == {"equal"}
    assert {own.group for own in verdict.rows} == {"a"}


def test_where_seeds_decide_it_takes_more_of_them_not_images() -> None:
    rng = np.random.default_rng(0)
    results = result_set(60, methods=("a", "b"), seeds=3)
    key = ["attribution", "seed"]
    pairs = results.scores[key].drop_duplicates().itertuples(index=False, name=None)
    luck = {pair: rng.normal(0, 3) for pair in pairs}
    moved = [luck[row] for row in results.scores[key].itertuples(index=False, name=None)]
    sign = np.where(results.scores.metric.eq("deletion"), -1, 1)
    results.scores["score"] += np.where(results.scores.attribution.isin(["a", "b"]), moved, 0) * sign
    verdict = _verdict(results)
    assert verdict.badge.text.startswith("not told apart: more seeds, not images")


def test_every_badge_has_a_meaning_of_one_sentence() -> None:
    assert set(MEANINGS) == set(get_args(Words))
    assert all(text.endswith(".") and len(text.split()) <= 40 for text in MEANINGS.values())
