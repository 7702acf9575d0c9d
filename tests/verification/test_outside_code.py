"""What `heatmark submit` says of code that nobody else has, before it writes or computes anything."""

import shutil
import subprocess
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.plugins import sources
from bench.results.result_set import read_results, write_results
from bench.suites.read import read_suite
from bench.verification.outside_code import outside_code
from tests.support.small_suites import ROOT, write_suite


class Package(Distribution):
    """An installed package that is nowhere."""

    def read_text(self, filename: str) -> str | None:
        return "Name: mypkg\nVersion: 0.1.0\n" if filename == "METADATA" else None

    def locate_file(self, path: Any) -> Any:
        return path


@pytest.fixture
def suite_with(tmp_path: Path) -> Any:
    def made(old: str, new: str) -> list[str]:
        suite = write_suite(tmp_path)
        assert old in suite.read_text()
        suite.write_text(suite.read_text().replace(old, new))
        return list(outside_code(read_suite(str(suite), allow_code=True)))

    return made


@pytest.fixture
def mypkg(monkeypatch: pytest.MonkeyPatch, fresh_plugins: None) -> None:
    def found(group: str) -> list[EntryPoint]:
        kind = group.removeprefix("heatmark.")
        names = {"recipes": "my_recipe", "attributions": "grad_soft", "metrics": "my_metric", "datasets": "my_data"}
        entry = EntryPoint(names[kind], "mypkg.plugins:Plugin", group)
        vars(entry)["dist"] = Package()
        return [entry]

    monkeypatch.setattr(sources, "entry_points", found)


@pytest.mark.usefixtures("mypkg")
@pytest.mark.parametrize(
    ("old", "new", "place", "folder"),
    [
        ('name = "random_map"', 'name = "grad_soft"', "attributions[1]: grad_soft", "methods/attributions/"),
        ('name = "pointing_game"', 'name = "my_metric"', "metrics[0]: my_metric", "metrics/"),
        ("seeds = [0, 1]", 'recipe = { name = "my_recipe" }', "networks[0].recipe: my_recipe", "methods/recipes/"),
        ('name = "planted"', 'name = "my_data"', "dataset: my_data", "datasets/"),
    ],
)
def test_a_plug_in_of_another_package_is_named_with_that_package(
    suite_with: Any, old: str, new: str, place: str, folder: str
) -> None:
    (line,) = suite_with(old, new)
    assert line.startswith(f"tiny.toml: {place} comes from the package mypkg 0.1.0, not from heatmark; copy its file")
    assert f"into {folder} of a checkout" in line


def test_an_architecture_that_is_code_is_named_and_heatmark_alone_is_fine(suite_with: Any) -> None:
    (line,) = suite_with('"small_plain"', '"net.py:make"')
    assert "networks[0].architecture: net.py:make is code that does not come with heatmark" in line
    assert suite_with("batch = 4", "batch = 5") == []


def test_a_plug_in_file_that_git_does_not_know_is_named(
    suite_with: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    mine = tmp_path / "mine.py"
    mine.write_text("")

    def found(kind: str, name: str) -> Any:
        return SimpleNamespace(entry=None, path=mine if name == "random_map" else None)

    monkeypatch.setattr("bench.verification.outside_code.source_of", found)
    (line,) = suite_with("batch = 4", "batch = 5")
    assert line.startswith(f"{mine} is not in git")
    subprocess.run(["git", "-C", str(tmp_path), "add", "mine.py"], check=True)
    assert suite_with("batch = 4", "batch = 5") == []


def test_submit_refuses_it_in_one_line_and_writes_nothing(tmp_path: Path) -> None:
    board = tmp_path / "board"
    shutil.copytree(ROOT / "results" / "embedded", board)
    results = read_results(board)
    results.manifest["settings"]["attributions"].append({"name": "grad_soft"})
    write_results(results, board)
    done = CliRunner().invoke(app, ["submit", str(board), str(tmp_path / "out"), "--sender", "Ada"])
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert line.startswith("refused ")
    assert "no attribution named 'grad_soft'" in line
    assert "copy its file into methods/attributions/" in line
    assert not (tmp_path / "out").exists()
