"""What a suite, weights or a result set that somebody else made may do: nothing but be read."""

import csv
import io
from pathlib import Path

import pandas as pd
import pytest
from torch import nn

from bench.errors import HeatmarkError, printable
from bench.report.tables import csv_of, plain
from bench.suites.read import read_suite, suite_of_settings
from bench.training.architectures import call
from tests.bad_input.commands import refused

SUITE = """
name = "mine"
[dataset]
name = "planted"
[[networks]]
name = "net"
architecture = "ARCHITECTURE"
weights = "touch ran"
[[attributions]]
name = "random_map"
[[metrics]]
name = "gini"
"""
CODE = [
    "os:system",
    "shutil:rmtree",
    "subprocess:run",
    "made.py:make",
    "$SUITE/made.py:make",
    "torch.hub:load",
    "builtins:eval",
]
COMMANDS = [["run"], ["train"], ["check"], ["report"], ["show", "x.png", "--suite"], ["store", "prune", "--store", "."]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "made.py").write_text(
        "from pathlib import Path\nPath('ran').touch()\ndef make(*_): Path('ran').touch()\n"
    )
    return tmp_path


@pytest.mark.parametrize("architecture", CODE)
@pytest.mark.parametrize("command", COMMANDS)
def test_no_command_runs_code_that_a_suite_names(
    command: list[str],
    architecture: str,
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HEATMARK_ALLOW_CODE", raising=False)
    (folder / "mine.toml").write_text(SUITE.replace("ARCHITECTURE", architecture))
    said = refused([*command, "mine.toml"], folder, capfd)
    assert "mine.toml: networks[0].architecture:" in said
    assert "--allow-code" in said


def test_permission_is_an_option_or_ones_own_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "mine.toml"
    path.write_text(SUITE.replace("ARCHITECTURE", "made.py:make"))
    assert read_suite(str(path), allow_code=True).table.networks[0].runs_code
    monkeypatch.setenv("HEATMARK_ALLOW_CODE", "1")
    assert read_suite(str(path)).table.networks[0].runs_code
    for other in ("0", "", "true"):
        monkeypatch.setenv("HEATMARK_ALLOW_CODE", other)
        with pytest.raises(HeatmarkError, match="--allow-code"):
            read_suite(str(path))


def test_the_settings_of_a_result_set_run_nothing_either(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HEATMARK_ALLOW_CODE", raising=False)
    path = folder / "mine.toml"
    path.write_text(SUITE.replace("ARCHITECTURE", "os:system"))
    written = read_suite(str(path), allow_code=True).written
    with pytest.raises(HeatmarkError, match="--allow-code"):
        suite_of_settings(written, "heatmark run x.toml", folder)


@pytest.mark.parametrize(
    ("architecture", "reason"),
    [
        ("os:system", "Python's own library"),
        ("shutil:rmtree", "Python's own library"),
        ("builtins:eval", "Python's own library"),
        ("made.py:Path", "expected a function or a class of torch.nn.Module"),
        ("made.py:system", "is a builtin_function_or_method"),
        ("made.py:rmtree", "is a function of shutil"),
        ("made.py:value", "is a int"),
        ("made.py:nothing", "AttributeError"),
        ("made.py:exits", "SystemExit"),
        ("made.py:other", "made str; expected a torch.nn.Module"),
        ("nosuch.py:make", "FileNotFoundError"),
        ("no_such_package:make", "ModuleNotFoundError"),
    ],
)
def test_with_permission_only_makers_of_networks_are_called(
    architecture: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "made.py").write_text(
        "import sys\nfrom os import system\nfrom pathlib import Path\nfrom shutil import rmtree\nvalue = 1\n"
        "def exits(path): sys.exit(0)\ndef other(path): return path\n"
    )
    with pytest.raises(HeatmarkError, match=reason):
        call(architecture, "touch ran")
    assert not (tmp_path / "ran").exists()


def test_a_class_of_modules_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "made.py").write_text(
        "from torch import nn\nclass Net(nn.Linear):\n    def __init__(self, path): super().__init__(1, 1)\n"
    )
    assert isinstance(call(f"{tmp_path}/made.py:Net", "x"), nn.Module)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t=", "\r=", "\n@", " \t+"])
def test_no_cell_of_a_csv_file_is_a_formula(sign: str) -> None:
    kinds = pd.Categorical([f"{sign}x", "y"])
    table = pd.DataFrame({"entry": [f"{sign}1+1", "fine"], "kind": kinds, "mean": [-1.5, 2]})
    rows = list(csv.reader(io.StringIO(csv_of(table), newline="")))
    assert rows[1][:2] == [f"'{sign.strip()}1+1", f"'{sign.strip()}x"]
    assert rows[1][2] == "-1.5", "a number is none"
    assert rows[2] == ["fine", "y", "2"]


@pytest.mark.parametrize("name", ["a\nb", "a|b", "a\r\n|b", "\x1b[31m", "\u202e", "<b>", "`x`", "a\u2028b"])
def test_a_name_breaks_no_row_and_reaches_no_terminal(name: str) -> None:
    assert plain(name).isprintable()
    assert "|" not in plain(name).replace("\\|", "")
    assert printable(name).isprintable()
    assert str(HeatmarkError(name)).isprintable()
