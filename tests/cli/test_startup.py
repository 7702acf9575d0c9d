"""What a command imports: seconds of torch are for those who compute."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHILD = """
import json, sys
sys.argv = ["heatmark", *sys.argv[1:]]
from bench.cli import main
try:
    main()
except SystemExit as end:
    roots = sorted({name.partition(".")[0] for name in sys.modules})
    print(json.dumps([end.code, roots]))
"""
HEAVY = {"torch", "torchvision", "pandas", "pyarrow", "scipy", "statsmodels", "matplotlib", "seaborn", "skimage", "PIL"}
SUITE = """
name = "mine"
[dataset]
name = "planted"
[[networks]]
architecture = "small_plain"
training = { epochs = 1 }
[[attributions]]
name = "integrated_gradients"
[[metrics]]
name = "deletion"
"""


def imported(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    """The exit status of a command, and the heavy libraries that it imported."""
    command = [sys.executable, "-c", CHILD, *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    code, roots = json.loads(done.stdout.splitlines()[-1])
    return code, HEAVY & set(roots)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        (0, ["--help"]),
        (0, ["--version"]),
        (2, ["--no-such-option"]),
        (2, ["run", "--no-such-option"]),
        (0, ["run", "--help"]),
        (2, ["run", "nosuch"]),
        (2, ["train", "nosuch"]),
        (2, ["show", "photo.png", "--suite", "nosuch"]),
        (0, ["list"]),
        (0, ["list", "suites"]),
        (2, ["submit", ".", "mine"]),
        (2, ["check", "ginni"]),
        (2, ["check", "gini", "--settings", '{"stp": 1}']),
        (2, ["run", "--metrics", "deletionn"]),
        (2, ["report", "nowhere", "--weights", "gini"]),
    ],
)
def test_no_heavy_library_to_help_list_or_refuse(tmp_path: Path, code: int, arguments: list[str]) -> None:
    assert imported(tmp_path, *arguments) == (code, set())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('name = "mine"', "name = "),
        ('name = "mine"', 'nme = "mine"'),
        ("epochs = 1", "epoch = 1"),
        ("epochs = 1", 'epochs = "one"'),
        ("epochs = 1", "batch = 0"),
        ('"planted"', '"plantd"'),
        ('"planted"', '"planted"\nimags = 3'),
        ('"integrated_gradients"', '"integrated_gradient"'),
        ('"integrated_gradients"', '"integrated_gradients"\nsteps = 3'),
        ('"integrated_gradients"', '"integrated_gradients"\nreduction = "product"'),
        ('"deletion"', '"deletion"\nstep = "ten"'),
        ('"deletion"', '"deletion"\nprotocol = "rise"'),
    ],
)
def test_no_heavy_library_to_refuse_a_suite(tmp_path: Path, old: str, new: str) -> None:
    assert old in SUITE
    (tmp_path / "mine.toml").write_text(SUITE.replace(old, new))
    assert imported(tmp_path, "run", "mine.toml") == (2, set())


def test_a_table_of_a_report_needs_neither_torch_nor_drawing(tmp_path: Path) -> None:
    code, heavy = imported(tmp_path, "report", str(ROOT / "results" / "embedded"), "--table", "markdown")
    assert code == 0
    assert heavy == {"pandas", "pyarrow", "scipy"}


def test_importing_the_package_imports_no_library() -> None:
    code = "import json, sys, bench; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {*HEAVY, "numpy", "pydantic", "rich", "typer"} & set(json.loads(done.stdout))


def test_the_shell_completes_commands_once_that_is_installed(tmp_path: Path) -> None:
    known = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", "import sys; sys.argv[0] = 'heatmark'\nfrom bench.cli import app\napp()"]
    named = known | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # else that which the tests were started from
    subprocess.run([*command, "--install-completion", "bash"], env=named, check=True, capture_output=True)
    (script,) = (tmp_path / ".bash_completions").iterdir()
    assert "_HEATMARK_COMPLETE" in script.read_text()
    asked = known | {"_HEATMARK_COMPLETE": "complete_bash", "COMP_WORDS": "heatmark pla", "COMP_CWORD": "1"}
    assert subprocess.run(command, env=asked, check=True, capture_output=True, text=True).stdout.split() == ["plan"]
