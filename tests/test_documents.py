"""What README and the guides of plug-ins show is true: code runs, commands and options exist."""

import importlib
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from torch import nn
from typer.core import TyperGroup
from typer.testing import CliRunner

from bench.api import Attribution, Dataset, Metric, Plugin, Recipe
from bench.checks import trials
from bench.cli import app
from bench.suites.load import load_suite
from bench.suites.read import read_suite

ROOT = Path(__file__).parents[1]
MADE = ("_build", "catalogue", "gallery", "generated")  # by `nox -s docs`
PAGES = [path for path in sorted(ROOT.glob("docs/**/*.md")) if path.relative_to(ROOT).parts[1] not in MADE]
GUIDES = [ROOT / "README.md", *PAGES, *sorted(ROOT.glob("m*/**/README.md"))]
GUIDES += [ROOT / "datasets/README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "results/README.md"]
NEEDS_A_DOWNLOAD = "# needs a download"
BASES = (Attribution, Dataset, Metric, Recipe)
NUMBERS = count()


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """The guide and the text of every block of code in a language."""
    for guide in GUIDES:
        for text in re.findall(rf"^```{language}\n(.*?)^```", guide.read_text(), re.MULTILINE | re.DOTALL):
            yield str(guide.relative_to(ROOT)), text


def plugin_in(text: str, folder: Path) -> Plugin:
    """The plug-in that a block of code defines, imported from a file as an author would."""
    path = folder / f"shown_{next(NUMBERS)}.py"
    path.write_text(text)
    module = importlib.import_module(path.stem)
    own = [made for made in vars(module).values() if isinstance(made, type) and made.__module__ == path.stem]
    (plugin,) = (made for made in own if issubclass(made, BASES))
    return plugin()


PLUGINS = [(guide, text) for guide, text in blocks("python") if text.lstrip('"').find("from bench.api import") >= 0]


@pytest.mark.parametrize(("guide", "text"), PLUGINS, ids=lambda part: part.splitlines()[0][:40])
def test_a_plug_in_that_a_guide_shows_keeps_every_promise(guide: str, text: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    tried = [trial for _, trial in trials(plugin_in(text, tmp_path))]
    assert len(tried) > 3
    for trial in tried:
        trial()


SCRIPTS = [(page, text) for page, text in blocks("python") if page.startswith("docs/") and (page, text) not in PLUGINS]


@pytest.mark.parametrize(("page", "text"), SCRIPTS, ids=lambda part: part.splitlines()[0][:40])
def test_a_script_that_a_page_shows_runs(page: str, text: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = compile(text, page, "exec")
    if not text.startswith(NEEDS_A_DOWNLOAD):
        exec(code, {})  # noqa: S102 - the code of our own pages


SUITES = [(page, text) for page, text in blocks("toml") if "[dataset]" in text and "[[networks]]" in text]


@pytest.mark.parametrize(("page", "text"), SUITES, ids=lambda part: part.splitlines()[0][:40])
def test_a_suite_that_a_page_shows_is_one(page: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "shown.toml").write_text(text)
    assert read_suite(str(tmp_path / "shown.toml")).table.attributions, page


def test_every_toml_block_is_toml() -> None:
    assert len([tomllib.loads(text) for _, text in blocks("toml")]) > len(SUITES)


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<a href="a.html#here">1</a><a href="a.html#there">2</a><img src="b.png">')
    (tmp_path / "a.html").write_text('<p id="here"><a href="https://example.org/x">3</a><a href=".">4</a></p>')
    path = ROOT / "docs" / "extensions" / "site_links.py"
    done = subprocess.run([sys.executable, path, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "index.html: a.html#there names no place of that page",
        "index.html: b.png is not there",
    ]


def test_the_notebook_of_the_readme_runs() -> None:
    (text,) = (text for guide, text in blocks("python") if guide == "README.md" and "bench.evaluate" in text)
    torch.manual_seed(0)
    names: dict[str, Any] = {
        "model": nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 30 * 30, 3)).eval(),
        "images": torch.rand(2, 3, 32, 32),
    }
    exec(text, names)  # noqa: S102 - the code of our own README
    scores = names["scores"]
    assert len(scores) == 2 * 3 * 3
    assert (scores.status == "ok").all()


SUITES = [text for guide, text in blocks("toml") if guide == "README.md" and "[[networks]]" in text]


@pytest.mark.parametrize("text", SUITES)
def test_a_suite_of_the_readme_names_what_there_is(text: str, tmp_path: Path) -> None:
    (tmp_path / "flowers.toml").write_text(text)
    assert len(load_suite(str(tmp_path / "flowers.toml")).attributions) > 1


COMMANDS = [(guide, line) for guide, text in blocks("sh") for line in text.splitlines() if line.startswith("heatmark ")]


@pytest.mark.parametrize(("guide", "line"), COMMANDS, ids=lambda part: part)
def test_a_command_that_a_guide_shows_exists_with_its_options(guide: str, line: str) -> None:
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]
    context = command.make_context("heatmark", [], resilient_parsing=True)
    while isinstance(command, TyperGroup):
        _, found, words = command.resolve_command(context, words)
        assert found is not None, f"{guide}: {line}"
        command = found
    command.make_context(command.name, words, parent=context)


def test_every_help_reads_well_at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    for name, command in group.commands.items():
        said = CliRunner().invoke(app, [name, "--help"])
        assert said.exit_code == 0
        lines = said.output.splitlines()
        assert max(map(len, lines)) <= 80, name
        assert [line for line in lines if "<" in line and ">" not in line] == [], f"{name}: a choice is cut in two"
        for paragraph in (command.help or "").split("\n\n"):
            lines = paragraph.strip().splitlines()  # which are shown as they are
            assert len(lines) == 1 or max(map(len, lines)) <= 78, f"{name}: {paragraph}"


def test_every_command_is_in_the_readme() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    table = (ROOT / "README.md").read_text()
    assert [name for name in group.commands if f"`heatmark {name}" not in table] == []
