"""A whole suite, small: data, training, attribution, metric, store, result set."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rich.progress import Progress as Bars
from torch import Tensor

from bench.api import Attribution, Explained, Metric, Network, PerturbationMetric, Plan, Request, Scored
from bench.errors import HeatmarkError, UnsupportedError
from bench.progress import Lines, Progress, progress
from bench.results.cell_store import Store
from bench.results.result_set import Results
from bench.runner import run as running
from bench.runner.records import Run
from bench.suites.load import Suite, load_suite

SUITE = """
name = "small"
batch = 4
gallery = 2
[dataset]
name = "planted"
train_images = 32
val_images = 8
test_images = 10
images = 6
references = 2
[[networks]]
architecture = "small_plain"
[networks.training]
epochs = 1
batch = 16
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "random_map"
[[attributions]]
name = "oracle"
[[metrics]]
name = "deletion"
step = 512
[[metrics]]
name = "pointing_game"
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    path = tmp_path_factory.mktemp("suite") / "small.toml"
    path.write_text(SUITE)
    return load_suite(str(path))


def carry_out(suite: Suite, folder: Path) -> Results:
    with progress() as bars:
        return running.run_suite(Run(suite, Store(folder), torch.device("cpu"), bars))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def results(suite: Suite, kept: Path) -> Results:
    return carry_out(suite, kept)


def test_every_entry_has_a_score_for_every_image_and_metric(results: Results) -> None:
    counts = results.scores.groupby(["attribution", "metric"]).image.nunique()
    assert len(counts) == 6
    assert (counts == 6).all()
    assert (results.scores.status == "ok").all()
    assert set(results.scores.protocol) == {"rise2018, step 512", "heatmark"}


def test_the_tables_fit_together(results: Results) -> None:
    assert len(results.curves) == 18
    assert {len(curve) for curve in results.curves.curve} == {9}
    (network,) = results.networks.to_dict("records")
    assert network["images"] == 10
    assert 0 <= network["accuracy"] == network["accuracy_among_classes"] <= 1
    assert 0 <= network["robust_accuracy"] <= 1
    assert results.manifest["attack"] == {"epsilon": 2 / 255, "steps": 10, "images": 64}
    kinds = results.heatmaps.groupby("kind").size().to_dict()
    assert kinds == {"heatmap": 6, "image": 2, "ranks": 6, "truth": 2}
    assert results.manifest["attributions"]["oracle"]["control"]
    assert results.manifest["metrics"]["deletion(step=512)"]["direction"] == "lower"


def test_the_oracle_hits_and_the_curve_gives_the_score(results: Results) -> None:
    hits = results.scores.query("metric == 'pointing_game' and attribution == 'oracle'").score
    np.testing.assert_allclose(hits, 1)
    areas = [np.trapezoid(curve, dx=1 / 8) for curve in results.curves.curve]
    scores = results.scores.query("metric == 'deletion(step=512)'").score
    np.testing.assert_allclose(areas, scores, atol=1e-6)


def test_what_is_computed_within_a_batch_is_said(suite: Suite, tmp_path: Path) -> None:
    stages = []
    with Bars(disable=True) as bars:
        lines = Lines()
        lines.heed = lambda *said: stages.append(said[-1])  # type: ignore[method-assign]
        running.run_suite(Run(suite, Store(tmp_path), torch.device("cpu"), Progress(bars, lines)))
    first = stages.index("small_plain: deletion(step=512) of simple_gradient") - 3
    assert stages[first : first + 10] == [
        *(f"small_plain: {method}" for method in ("simple_gradient", "random_map", "oracle")),
        "small_plain: deletion(step=512) of simple_gradient",
        "small_plain: pointing_game of simple_gradient",
        "small_plain: deletion(step=512) of random_map",
        "small_plain: pointing_game of random_map",
        "small_plain: deletion(step=512) of oracle",
        "small_plain: pointing_game of oracle",
        "small_plain: 3 curves of each image",
    ]


def test_without_images_to_attack_nothing_is_attacked(suite: Suite, kept: Path, results: Results) -> None:
    quiet = suite.table.model_copy(update={"attack": suite.table.attack.model_copy(update={"images": 0})})
    own = carry_out(replace(suite, table=quiet), kept)
    assert own.networks.robust_accuracy.isna().all()
    pd.testing.assert_frame_equal(own.scores, results.scores)


def test_a_second_run_computes_nothing_and_gives_the_same(
    suite: Suite, results: Results, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("this was in the store")

    for name in ("blocks.score_one", "explain.explained_by", "accuracy.accuracy_of", "accuracy.robust_accuracy_of"):
        monkeypatch.setattr(f"bench.runner.{name}", forbidden)
    monkeypatch.setattr("bench.runner.networks.train", forbidden)
    again = carry_out(suite, kept)
    pd.testing.assert_frame_equal(again.scores, results.scores)
    pd.testing.assert_frame_equal(again.networks, results.networks)
    assert again.manifest == results.manifest


def test_more_images_leave_the_scores_of_the_others_alone(suite: Suite, results: Results, kept: Path) -> None:
    table = suite.table.dataset.model_copy(update={"images": None})
    whole = carry_out(replace(suite, table=suite.table.model_copy(update={"dataset": table, "batch": 3})), kept)
    key = ["image", "attribution", "metric"]
    both = results.scores.merge(whole.scores, on=key, suffixes=("", "_whole"))
    assert len(both) == len(results.scores)
    np.testing.assert_allclose(both.score, both.score_whole, rtol=0, atol=1e-5)


@dataclass(frozen=True)
class Fails(Attribution):
    """Raises."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        raise RuntimeError("out of\nluck")


@dataclass(frozen=True)
class Unfit(Attribution):
    """Says that it cannot."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        raise UnsupportedError("only for transformers")


@dataclass(frozen=True)
class Broken(Metric):
    """Raises."""

    def score(self, explained: Explained) -> Scored:
        raise ValueError("no score today")


@dataclass(frozen=True)
class Planless(PerturbationMetric):
    """Has no plan."""

    def plan(self, height: int, width: int) -> Plan:
        raise ValueError("no plan today")


def test_a_curve_that_fails_leaves_the_others_alone(suite: Suite, results: Results, tmp_path: Path) -> None:
    scores = carry_out(replace(suite, metrics=(Planless(), suite.metrics[0])), tmp_path).scores
    assert set(scores[scores.metric == "planless"].status) == {"failed: ValueError: no plan today"}
    deletion = "metric == 'deletion(step=512)'"
    np.testing.assert_array_equal(scores.query(deletion).score, results.scores.query(deletion).score)


def test_training_needs_to_be_told_how(suite: Suite, tmp_path: Path) -> None:
    (table,) = suite.table.networks
    without = suite.table.model_copy(update={"networks": (table.model_copy(update={"training": None}),)})
    with progress() as bars, pytest.raises(HeatmarkError, match=r"suite small: networks\[0\] has no `training`"):
        running.train_one(Run(replace(suite, table=without), Store(tmp_path), torch.device("cpu"), bars), 0, None)


def test_what_fails_says_so_and_the_rest_goes_on(suite: Suite, results: Results, kept: Path) -> None:
    attributions = (suite.attributions[0], Fails(), Unfit())
    mixed = carry_out(replace(suite, attributions=attributions, metrics=(suite.metrics[0], Broken())), kept)
    status = mixed.scores.groupby(["attribution", "metric"]).status.unique().str[0].to_dict()
    assert status["simple_gradient", "deletion(step=512)"] == "ok"
    assert status["simple_gradient", "broken"] == "failed: ValueError: no score today"
    assert status["fails", "broken"] == "failed: RuntimeError: out of luck"
    assert status["unfit", "deletion(step=512)"] == "unsupported: only for transformers"
    whole = results.scores.query("attribution == 'simple_gradient' and metric == 'deletion(step=512)'").score
    same = mixed.scores.query("attribution == 'simple_gradient' and metric == 'deletion(step=512)'").score
    np.testing.assert_array_equal(whole, same)
    assert {"network", "attribution", "metric", "status", "images"} <= mixed.manifest["failures"][0].keys()


def test_only_correct_gives_the_others_a_status(suite: Suite, kept: Path) -> None:
    strict = replace(suite, table=suite.table.model_copy(update={"only_correct": True, "target": "label"}))
    results = carry_out(strict, kept)
    scores = results.scores
    assert set(scores.status) <= {"ok", "not correctly classified"}
    assert scores.score.isna().equals(scores.status != "ok")
    assert set(scores.target) == {"label, correct only"}
    assert set(results.curves.image) == set(scores.image[scores.status == "ok"])
