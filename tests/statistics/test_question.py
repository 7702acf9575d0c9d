from dataclasses import dataclass
from typing import ClassVar

import pytest

from bench.api import Explained, Metric, Scored
from bench.api.registry import find
from bench.errors import HeatmarkError
from bench.plugin_card import AttributionCard, Card, MetricCard
from bench.statistics.build import board_of
from bench.statistics.names import display
from bench.suites.load import load_suite
from bench.suites.read import shipped_suites
from tests.support.simulated_results import result_set


def test_every_shipped_suite_asks_something_in_words() -> None:
    for name, path in shipped_suites().items():
        text = path.read_text(encoding="utf-8")
        assert 'question = "' in text, name
        assert 'asks = "' in text, name


def test_a_result_set_older_than_questions_has_one() -> None:
    assert board_of(result_set(8)).question.kind == "methods"
    recipes = result_set(8, methods=("simple_gradient",), recipes=("standard", "madry"))
    assert board_of(recipes).question.kind == "recipes"
    recipes.manifest.update(question="methods", asks="Which?")
    assert board_of(recipes).question.asks == "Which?"
    recipes.manifest["question"] = "method"
    with pytest.raises(HeatmarkError, match="did you mean 'methods'"):
        board_of(recipes)


def test_a_property_counts_nothing_unless_asked_for() -> None:
    results = result_set(metrics={"deletion": "lower", "gini": "higher"})
    results.manifest["metrics"]["gini"]["is_property"] = True
    assert list(board_of(results).weights) == [1, 0]
    assert list(board_of(results, {"gini": 1}).weights) == [0, 1]


def test_between_recipes_nothing_is_best() -> None:
    board = board_of(result_set(8, methods=("simple_gradient",), recipes=("standard", "madry")))
    assert not board.overall.rows
    assert not board.weights.any()


@pytest.mark.parametrize(
    ("label", "card", "said"),
    [
        ("grad_cam_plus_plus", Card("grad_cam_plus_plus", "Grad-CAM++"), "Grad-CAM++"),
        ("occlusion(window=16, stride=8)", Card("occlusion", "Occlusion"), "Occlusion (window 16, stride 8)"),
        ("deletion(protocol=torchcam)", Card("deletion", "Deletion"), "Deletion (torch-cam)"),
        ("deletion(protocol=torchcam-0.5)", Card("deletion", "Deletion"), "Deletion (torch-cam 0.5)"),
        ("auc_judd(protocol=mit)", Card("auc_judd", "AUC-Judd"), "AUC-Judd (mit)"),
        ("simple_gradient(reduction=sum)", Card("simple_gradient", "Gradient"), "Gradient (sum)"),
        ("noise_robustness(levels=(0.01, 0.02))", Card("noise_robustness", "N"), "N (levels 0.01, 0.02)"),
    ],
)
def test_display_names_have_the_settings_in_words(label: str, card: Card, said: str) -> None:
    assert display(label, card) == said


@pytest.mark.parametrize("kind", ["attributions", "metrics", "recipes", "datasets"])
def test_no_two_plugins_read_alike(kind: str) -> None:
    names = [plugin.display for plugin in find(kind).values()]
    assert all(names)
    assert len(set(names)) == len(names)


def test_a_card_is_read_as_it_was_written() -> None:
    for kind, of in (("attributions", AttributionCard), ("metrics", MetricCard)):
        for plugin in find(kind).values():
            card = plugin().card
            assert of.read(plugin().label, card.written()) == card
    old = MetricCard.read("aic(steps=2)", {"direction": "lower", "of_a_later_version": 1})
    assert (old.name, old.display, old.direction) == ("aic", "Aic", "lower")


def test_a_metric_from_outside_has_a_family_of_its_own() -> None:
    @dataclass(frozen=True)
    class Outside(Metric):
        """Nothing."""

        family: ClassVar[str] = "beauty"

        def score(self, explained: Explained) -> Scored:
            raise NotImplementedError

    assert Outside().card.family == "beauty"
    assert find("metrics")["gini"]().card.family == "sparsity"


def test_a_smallest_difference_of_no_metric_is_refused(tmp_path) -> None:
    text = (
        shipped_suites()["embedded"]
        .read_text(encoding="utf-8")
        .replace("$SUITE", str(shipped_suites()["embedded"].parent))
    )
    path = tmp_path / "own.toml"
    path.write_text(text.replace("[dataset]", "[smallest]\ndeletoin = 0.1\n\n[dataset]"))
    with pytest.raises(HeatmarkError, match="smallest: no metric named 'deletoin'; did you mean 'deletion'"):
        load_suite(str(path))
    path.write_text(text.replace("[dataset]", "[smallest]\ndeletion = 0.1\n\n[dataset]"))
    assert load_suite(str(path)).table.smallest == {"deletion": 0.1}
