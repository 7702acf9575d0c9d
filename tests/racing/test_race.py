"""Suites carried out with `--decide`: order, scores, resuming, and all that reads what they leave."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from bench.cli import app
from bench.errors import HeatmarkError
from bench.progress import silent
from bench.racing.race import in_order, run_decided
from bench.report.view import view_of
from bench.report.words import left_off
from bench.report.write import write_with_report
from bench.results.cell_store import Store
from bench.results.result_set import Results, read_results
from bench.runner.records import Run
from bench.runner.run import ready_networks, run_suite
from bench.statistics.build import entry_board
from bench.suites.load import load_suite
from tests.support.small_suites import pin_chunk

SUITE = """
name = "race"
batch = {batch}
gallery = 1
question = "{question}"
[dataset]
name = "planted"
train_images = 16
val_images = 8
test_images = 24
images = 24
accuracy_images = 8
references = 2
[attack]
images = 4
steps = 2
[[networks]]
architecture = "small_plain"
weights = "{weights}"
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "integrated_gradients"
nodes = 4
[[attributions]]
name = "random_map"
[[attributions]]
name = "oracle"
[[attributions]]
name = "centre"
[[metrics]]
name = "relevance_mass"
[[metrics]]
name = "insertion"
step = 1024
[[metrics]]
name = "gini"
"""
WEIGHTS = Path(__file__).parents[2] / "bench" / "trained" / "small_plain-standard.safetensors"
CELL = ["network", "recipe", "seed", "attribution", "metric", "image"]


def run_of(folder: Path, batch: int = 8, question: str = "methods") -> Run:
    path = folder / f"race{batch}{question}.toml"
    path.write_text(SUITE.format(weights=WEIGHTS, batch=batch, question=question))
    return Run(load_suite(str(path)), Store(folder / f"store{batch}"), torch.device("cpu"), silent())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("race")


@pytest.fixture(scope="module")
def raced(folder: Path) -> Results:
    pin_chunk(folder / "store8")
    results = run_decided(run_of(folder))
    write_with_report(results, folder / "raced")
    return results


def beside(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    columns = [*CELL, "score", "status"]
    return one[columns].merge(other[columns], on=CELL, suffixes=("", "_full"), how="left", validate="1:1")


def test_scores_are_those_of_the_full_run_on_the_images_seen(folder: Path, raced: Results) -> None:
    both = beside(raced.scores, run_suite(run_of(folder)).scores)
    assert both.status.eq(both.status_full).all()
    assert both.score.sub(both.score_full).abs().max() <= 1e-6  # other images are in the same batch
    assert len(raced.scores) < 24 * 5 * 3


def test_what_hangs_on_nothing_is_left_off_and_said(raced: Results) -> None:
    stops = raced.manifest["decided"]["stopped"]
    gini = next(stop for stop in stops if stop["metric"] == "gini")
    assert (gini["images"], gini["reason"]) == (8, "what a map is like, not what it is worth")
    seen = raced.scores[raced.scores.metric.eq("gini")].groupby("attribution").image.nunique()
    assert seen.eq(8).all()


def test_a_control_is_left_off_under_a_metric_and_not_under_another(raced: Results, folder: Path) -> None:
    scores = raced.scores[raced.scores.attribution.eq("centre")]
    assert scores.groupby("metric").image.nunique().to_dict() == {
        "gini": 8,
        "insertion(step=1024)": 15,
        "relevance_mass": 8,
    }
    (own,) = [row for row in left_off(raced.manifest) if row["attribution"] == "centre" and row["metrics"]]
    assert (own["what"], own["images"]) == ("Centre under Relevance mass", 8)
    table = pd.read_csv(folder / "raced" / "leaderboard.csv").set_index(["attribution", "metric"]).left_off
    assert table["centre", "relevance_mass"] == "after 8: nothing hangs on it any more"
    assert table["centre", "insertion(step=1024)"] == "after 15: no method is left"


def test_an_interrupted_race_decides_the_same(
    folder: Path, raced: Results, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = replace(run_of(folder), store=Store(tmp_path))
    pin_chunk(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("bench.racing.race.entry_board", _interrupted)
        with pytest.raises(KeyboardInterrupt):
            run_decided(run)
    assert len(list((tmp_path / "cells").rglob("*.parquet"))) >= 12
    again = run_decided(run)
    assert again.manifest["decided"] == raced.manifest["decided"]
    pd.testing.assert_frame_equal(again.scores, raced.scores)


def _interrupted(results: Results) -> None:
    raise KeyboardInterrupt


def test_a_finished_race_is_read_and_not_computed_again(
    folder: Path, raced: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.runner.blocks.Block._finish", _computed)
    assert run_decided(run_of(folder)).manifest["decided"] == raced.manifest["decided"]


def _computed(self: object, missing: dict[object, str]) -> None:
    assert not missing


def test_the_order_is_that_of_the_ids_whatever_the_batch(folder: Path) -> None:
    orders = []
    for batch in (3, 8):
        run = replace(run_of(folder, batch), store=Store(folder / "store8"))
        orders.append(run.ids(in_order(run, ready_networks(run, 0))))
    assert orders[0] == orders[1]
    assert orders[0] != sorted(orders[0])


def test_the_board_is_whole_and_says_what_was_left_off(folder: Path, raced: Results) -> None:
    results = read_results(folder / "raced")
    board = entry_board(results)
    assert board.looks == (8, 10, 12, 15, 19, 24)
    assert len(view_of(results).methods) == 2
    page = (folder / "raced" / "index.html").read_text()
    assert "Left off before all 24 images, and why" in page
    assert "alpha spent over looks after 8, 10, 12, 15, 19 and 24 images" in page
    table = pd.read_csv(folder / "raced" / "leaderboard.csv")
    assert table.refused.eq(0).all()
    assert table[table.metric.eq("gini")].left_off.str.contains("what a map is like").all()
    assert table.planned.eq(24).all()


def test_a_race_is_verified_sent_planned_and_kept_in_the_store(folder: Path, raced: Results) -> None:
    run, suite = CliRunner(), str(folder / "race8methods.toml")
    store = ["--store", str(folder / "store8")]
    found = run.invoke(app, ["verify", str(folder / "raced"), "--share", "1", *store])
    assert found.exit_code == 0, found.output
    assert "15 same" in found.output
    sent = run.invoke(app, ["submit", str(folder / "raced"), str(folder / "sent"), "--sender", "A", *store])
    assert sent.exit_code == 0, sent.output
    kept = run.invoke(app, ["store", "prune", suite, "--dry-run", *store])
    assert "0 files" in kept.output, kept.output
    planned = run.invoke(app, ["plan", suite, "--throughput", "1000,300", *store])
    assert planned.exit_code == 0, planned.output


def test_a_suite_of_recipes_has_no_places_to_decide(folder: Path) -> None:
    with pytest.raises(HeatmarkError, match="--decide: suite race asks about recipes; expected one about methods"):
        run_decided(run_of(folder, question="recipes"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--half-width", "0.1"], "--half-width says when --decide leaves a method off; expected --decide"),
        (["--decide", "--half-width", "nan"], "--half-width nan: expected a share between 0 and 1"),
        (["--decide", "--workers", "2"], "in one process; expected no --workers"),
        (["--decide", "--shard", "1/2"], "in one process; expected no --shard"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: list[str], said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["run", "embedded", *options, "--store", str(tmp_path)])
    assert done.exit_code != 0
    assert said in " ".join(f"{done.output} {done.exception}".split())
