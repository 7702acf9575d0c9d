"""A run says which board it takes the place of, before it computes."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app, run_to_board
from bench.errors import HeatmarkError
from bench.results.result_set import read_results
from tests.support.small_suites import ROOT


def stop(*arguments: object) -> None:
    raise HeatmarkError("not computed")


@pytest.mark.parametrize(("options", "told"), [([], 0), (["--images", "3"], 1)])
def test_the_board_of_another_selection_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], told: int
) -> None:
    monkeypatch.setattr(run_to_board, "carried_out", stop)
    shutil.copytree(ROOT / "results" / "embedded", tmp_path / "board")
    manifest = read_results(tmp_path / "board").manifest
    place = ["--out", str(tmp_path / "board"), "--store", str(tmp_path / "store")]
    done = CliRunner().invoke(app, ["run", "embedded", *options, *place])
    assert str(done.exception) == "not computed"
    line = (
        f"{tmp_path / 'board'}: this run replaces the board of {manifest['dataset']['images']} images of "
        f"{manifest['created']}; --out names another folder"
    )
    assert done.output.splitlines() == [line] * told
