"""The commands that read result sets, in this process: the statistics alone, no network."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from bench.cli import app
from bench.errors import HeatmarkError
from bench.results.result_set import Results, write_results
from tests.support.simulated_results import result_set


def heatmark(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_results(result_set(), tmp_path / "board")
    return tmp_path / "board"


@pytest.mark.parametrize("table", ["latex", "markdown", "csv", "json", "terminal"])
def test_a_table_of_some_metrics_and_entries(folder: Path, table: str) -> None:
    some = ("--metrics", "deletion,insertion", "--entries", "simple_gradient,smooth_grad")
    printed = heatmark("report", folder, "--table", table, *some)
    assert printed.exit_code == 0
    said = printed.stdout.lower()
    assert "smooth" in said
    assert table == "terminal" or "deletion" in said
    assert "oracle" not in said
    assert "truth (control)" not in said
    assert "pointing" not in said


def test_every_score_is_printed_when_it_is_asked_for(folder: Path) -> None:
    printed = heatmark("report", folder, "--full")
    assert printed.exit_code == 0
    assert "In brackets 95% intervals" in printed.stdout
    assert printed.stdout == heatmark("report", folder, "--full", "--table", "terminal").stdout


def test_weights_decide_the_order_over_all_metrics(folder: Path) -> None:
    printed = heatmark("report", folder, "--table", "json", "--weights", "deletion=3, pointing_game=1")
    rows = pd.DataFrame(json.loads(printed.stdout))
    assert rows.drop_duplicates("entry").wins.notna().all()
    only = pd.DataFrame(json.loads(heatmark("report", folder, "--table", "json", "--weights", "deletion=1").stdout))
    assert (only.drop_duplicates("entry").wins.to_numpy() != rows.drop_duplicates("entry").wins.to_numpy()).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--metrics", "deletion"], "expected --table with them"),
        (["--table", "csv", "--metrics", "deletoin"], "did you mean 'deletion'"),
        (["--table", "csv", "--weights", "deletion"], "expected a metric and a number"),
        (["--table", "csv", "--weights", "deletion=-1"], "expected a metric and a number"),
        (["--table", "csv", "--weights", "deletoin=1"], "did you mean 'deletion'"),
    ],
)
def test_a_wrong_choice_is_an_error_that_names_it(folder: Path, options: list[str], message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        heatmark("report", folder, *options)


def test_what_got_worse_is_the_exit_status(folder: Path, tmp_path: Path) -> None:
    before = result_set()
    worse = before.scores.assign(score=before.scores.score + before.scores.metric.eq("deletion") * 0.2)
    write_results(replace(before, scores=worse), tmp_path / "after")
    same = heatmark("compare", folder, folder)
    assert same.exit_code == 0
    assert "Nothing got significantly worse." in same.stdout
    changed = heatmark("compare", folder, tmp_path / "after")
    assert changed.exit_code == 1
    assert "integrated_gradients" in changed.stdout
    told = json.loads(heatmark("compare", folder, tmp_path / "after", "--table", "json").stdout)
    assert told["regressed"]
    assert {row["verdict"] for row in told["table"] if row["metric"] == "deletion"} == {"worse"}
    assert {row["verdict"] for row in told["table"] if row["metric"] != "deletion"} == {"same"}
    assert heatmark("compare", tmp_path / "after", folder, "--table", "csv").exit_code == 0


def test_images_of_one_set_alone_are_said(folder: Path, tmp_path: Path) -> None:
    after = result_set()
    write_results(replace(after, scores=after.scores[after.scores.image < "image-0030"]), tmp_path / "after")
    said = heatmark("compare", folder, tmp_path / "after")
    assert said.exit_code == 0
    assert "10 images are in the first set alone" in said.stdout
    told = json.loads(heatmark("compare", tmp_path / "after", folder, "--table", "json").stdout)
    assert (told["images_only_in_first"], told["images_only_in_second"]) == (0, 10)


def test_what_is_refused_or_gone_is_said(folder: Path, tmp_path: Path) -> None:
    after = result_set(metrics={"deletion": "lower"})
    failed = after.scores.attribution.eq("smooth_grad")
    after.scores.loc[failed, ["score", "status"]] = [float("nan"), "failed: boom"]
    write_results(after, tmp_path / "after")
    said = heatmark("compare", folder, tmp_path / "after")
    assert said.exit_code == 1
    assert "refused" in said.stdout
    assert "Gone:" in said.stdout


def test_scores_that_are_refused_here_and_there_are_counted(folder: Path, tmp_path: Path) -> None:
    after = result_set()
    some = after.scores.attribution.eq("smooth_grad") & after.scores.image.isin(after.scores.image.unique()[:3])
    after.scores.loc[some & after.scores.metric.eq("deletion"), ["score", "status"]] = [float("nan"), "failed: boom"]
    write_results(after, tmp_path / "after")
    said = " ".join(heatmark("compare", folder, tmp_path / "after").stdout.split())
    assert "3 scores of 1 of these means are refused in the second set" in said
    assert "refused" not in heatmark("compare", folder, folder).stdout


def test_a_result_set_is_not_published_over_itself(folder: Path) -> None:
    with pytest.raises(HeatmarkError, match="is the result set itself"):
        heatmark("publish", folder, folder / ".." / folder.name)


def _published(results: Results, tmp_path: Path) -> tuple[pd.DataFrame, str]:
    write_results(results, tmp_path / "mine")
    out = tmp_path / "results" / "theirs"
    assert heatmark("publish", tmp_path / "mine", out).exit_code == 0
    return pd.read_parquet(out / "heatmaps.parquet"), (out / "index.html").read_text()


def test_pictures_that_are_not_ours_stay_out_of_the_published_copy(tmp_path: Path) -> None:
    results = result_set(8)
    results.manifest["dataset"]["redistributable"] = False
    pictures, page = _published(results, tmp_path)
    assert set(pictures.kind) == {"heatmap"}
    assert not {"edges", "oracle"} & set(pictures.attribution)
    assert "licence" in page


def test_pictures_that_may_be_handed_on_are(tmp_path: Path) -> None:
    pictures, _ = _published(result_set(8), tmp_path)
    assert len(pictures) == len(result_set(8).heatmaps)


def test_a_result_set_without_curves_is_published(tmp_path: Path) -> None:
    results = result_set(8)
    _published(replace(results, curves=results.curves.iloc[:0]), tmp_path)
    assert pd.read_parquet(tmp_path / "results" / "theirs" / "curves.parquet").empty
