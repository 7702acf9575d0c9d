"""`heatmark submit`: what a pull request adds, and why it would be refused."""

import shutil
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.report.site import write_site
from bench.results.result_set import Results, read_results, write_results
from tests.support.small_suites import pin_chunk, write_suite

ONE_NETWORK = ("seeds = [0, 1]", "seeds = [0]")


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store, a set, and in `out/board` the submission of it."""
    folder = tmp_path_factory.mktemp("sent")
    suite = write_suite(folder, epochs=1)
    suite.write_text(suite.read_text().replace(*ONE_NETWORK))
    pin_chunk(folder / "store")
    done = CliRunner().invoke(app, ["run", str(suite), "--store", str(folder / "store"), "--out", str(folder / "set")])
    assert done.exit_code == 0, done.output
    status, lines = submitted(folder, folder / "set", folder / "out" / "board", "--sender", "Ada L.", "--share", "0.5")
    assert (status, lines[1], lines[-1]) == (0, "checksums: right", f"Ready to send: {folder / 'out' / 'board'}"), lines
    assert lines[-2] == "2 same"
    return folder


def submitted(place: Path, *arguments: object) -> tuple[int, list[str]]:
    said = CliRunner().invoke(app, ["submit", *map(str, arguments), "--store", str(place / "store")])
    return said.exit_code, [*said.output.splitlines(), *([str(said.exception)] if said.exit_code == 1 else [])]


def test_a_submission_holds_set_suite_citation_and_licence_and_the_site_says_who_sent_it(
    sent: Path, tmp_path: Path
) -> None:
    board = sent / "out" / "board"
    assert tomllib.loads((board / "suite.toml").read_text())["name"] == "tiny"
    assert '  - name: "Ada L."' in (board / "CITATION.cff").read_text().splitlines()
    assert "CC0-1.0" in (board / "LICENSE").read_text()
    assert write_site(sent / "out", tmp_path / "site") == 1
    assert ", sent by Ada L." in (tmp_path / "site" / "index.html").read_text()


def changed(folder: Path, change: Callable[[Results], Results]) -> None:
    write_results(change(read_results(folder)), folder)


def without_image(results: Results) -> Results:
    return replace(results, scores=results.scores.iloc[1:])


def without_cell(results: Results) -> Results:
    scores = results.scores
    return replace(
        results, scores=scores[~(scores.metric.eq("deletion(step=1024)") & scores.attribution.eq("random_map"))]
    )


def with_fewer_images(results: Results) -> Results:
    scores = results.scores
    return replace(results, scores=scores[scores.image.ne(scores.image.iloc[0])])


def with_other_protocol(results: Results) -> Results:
    return replace(results, scores=results.scores.assign(protocol="mine"))


def twice(results: Results) -> Results:
    return replace(results, scores=pd.concat([results.scores, results.scores.iloc[:1]]))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (without_image, "has 9 of 10 images"),
        (without_cell, "seed 0: no random_map, deletion(step=1024)"),
        (with_fewer_images, "9 images of planted 'test'; the suite asks for 10"),
        (with_other_protocol, "pointing_game is stamped mine; expected heatmark"),
        (twice, "an image is there twice in one cell"),
    ],
)
def test_a_set_that_lacks_something_is_refused_in_one_line(
    sent: Path, tmp_path: Path, change: Callable[[Results], Results], line: str
) -> None:
    shutil.copytree(sent / "out" / "board", tmp_path / "board")
    changed(tmp_path / "board", change)
    status, lines = submitted(sent, tmp_path / "board")
    assert status == 1
    assert [own for own in lines if own.startswith("refused ") and own.endswith(line)], lines


def test_files_that_do_not_belong_or_are_missing_or_altered_are_named(sent: Path, tmp_path: Path) -> None:
    board = tmp_path / "board"
    shutil.copytree(sent / "out" / "board", board)
    (board / "run.py").write_text("")
    (board / "LICENSE").unlink()
    (board / "CITATION.cff").write_text("authors: me\n")
    (board / "figures" / "large.svg").write_bytes(bytes(5_000_001))
    status, lines = submitted(sent, board)
    assert status == 1
    assert [line.removeprefix(f"refused {board}/") for line in lines if line.startswith("refused ")] == [
        "LICENSE is missing",
        "figures/large.svg has 5,000,001 bytes; expected 5,000,000 at most",
        "run.py is none of the files of a submission; remove it",
        "CITATION.cff is not what the manifest says; `heatmark submit` writes it",
    ]
    (board / "scores.parquet").write_bytes(b"")
    assert "its checksum is not the manifest's" in " ".join(submitted(sent, board)[1])


def test_a_submission_without_a_sender_is_refused_before_anything_is_written(sent: Path, tmp_path: Path) -> None:
    status, lines = submitted(sent, sent / "set", tmp_path / "out")
    assert status == 1
    assert "--sender ''" in lines[-1]
    assert not (tmp_path / "out").exists()
