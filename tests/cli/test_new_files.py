"""New plug-ins work as they are written, alone in a package and in a checkout."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.cli import app, new_files
from bench.cli.new_files import NewPlugin, checkout_files, package_files, write_new
from bench.cli.options import NewKind
from bench.errors import HeatmarkError
from bench.suites.load import load_suite

ROOT = Path(__file__).parents[2]
KINDS: list[NewKind] = ["attribution", "recipe", "metric", "dataset"]


def test_a_new_package_of_each_kind_passes_its_tests(tmp_path: Path) -> None:
    for kind in KINDS:
        family = "sparsity" if kind == "metric" else ""
        write_new(package_files(NewPlugin(kind, f"fresh_{kind}", family), tmp_path / f"my-{kind}"))
    paths = os.pathsep.join([str(ROOT), *(str(tmp_path / f"my-{kind}") for kind in KINDS)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."]
    done = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 5 * len(KINDS)  # each promise is a test
    for kind in KINDS:
        settings = (tmp_path / f"my-{kind}" / "pyproject.toml").read_text()
        code = (tmp_path / f"my-{kind}" / f"my_{kind}" / f"fresh_{kind}.py").read_text()
        assert ('family: ClassVar[str] = "sparsity"' in code) == (kind == "metric")
        assert f'fresh_{kind} = "my_{kind}.fresh_{kind}:Fresh{kind.capitalize()}"' in settings


def test_a_new_plug_in_of_a_checkout_lies_beside_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "_ROOT", tmp_path)
    (tmp_path / "methods").mkdir()
    (tmp_path / "metrics" / "sparsity").mkdir(parents=True)
    files = checkout_files(NewPlugin("metric", "mass_at_the_top", "sparsity"))
    assert [str(path.relative_to(tmp_path)) for path in files] == [
        "metrics/sparsity/mass_at_the_top.py",
        "tests/metrics/sparsity/test_mass_at_the_top.py",
    ]
    assert "from bench.metrics.sparsity.mass_at_the_top import MassAtTheTop" in list(files.values())[1]
    with pytest.raises(HeatmarkError, match="did you mean 'sparsity'"):
        NewPlugin("metric", "other", "sparse")
    with pytest.raises(HeatmarkError, match=r"--family: a metric belongs to a family; known: .*sparsity"):
        NewPlugin("metric", "other")


def test_a_new_suite_can_be_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_new(checkout_files(NewPlugin("suite", "mine")))
    suite = load_suite("mine.toml")
    assert suite.table.name == "mine"
    assert suite.attributions


@pytest.mark.parametrize("name", ["", "Mine", "my-method", "../x", "class", "a b", "x" * 80, "é"])
def test_a_name_that_no_file_and_module_can_have_is_refused(name: str) -> None:
    with pytest.raises(HeatmarkError, match="no name of a plug-in"):
        NewPlugin("attribution", name)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"there is a metric named 'gini' already, .*gini\.py"):
        NewPlugin("metric", "gini", "sparsity")
    files = {tmp_path / "a": "new", tmp_path / "b": "new"}
    (tmp_path / "b").write_text("old")
    with pytest.raises(HeatmarkError, match="b is there already"):
        write_new(files)
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "old"


def test_without_a_checkout_a_package_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(new_files, "_ROOT", tmp_path)
    with pytest.raises(HeatmarkError, match="--package DIR"):
        checkout_files(NewPlugin("recipe", "mine"))
    with pytest.raises(HeatmarkError, match="a suite is a file"):
        package_files(NewPlugin("suite", "mine"), tmp_path / "package")
    with pytest.raises(HeatmarkError, match="expected the name of a package"):
        package_files(NewPlugin("recipe", "mine"), tmp_path / "1st")


@pytest.mark.parametrize(
    ("package", "needs"), [([], "pytest hypothesis"), (["--package", "my-maps"], '-e "my-maps[test]"')]
)
def test_it_says_what_the_test_that_was_written_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: list[str], needs: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(new_files, "_ROOT", tmp_path)
    (tmp_path / "methods").mkdir()
    done = CliRunner().invoke(app, ["new", "attribution", "mine", *package])
    test = "my-maps/tests" if package else str(tmp_path / "tests" / "methods" / "attributions" / "test_mine.py")
    expected = f"Its test, which needs more: python -m pip install {needs} && python -m pytest {test}"
    assert done.output.splitlines()[-1] == expected
