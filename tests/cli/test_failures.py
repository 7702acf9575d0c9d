"""What is said when something fails, is stopped, or breaks a promise."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.cli.failures import failure_lines

ROOT = Path(__file__).parents[2]
SUITE = """
name = "tiny"
batch = 4
gallery = 1
[dataset]
name = "planted"
train_images = 16
val_images = 8
test_images = 8
images = 4
references = 2
[[networks]]
architecture = "small_plain"
training = { epochs = EPOCHS, batch = 16 }
[[attributions]]
name = "zz_fails"
[[attributions]]
name = "simple_gradient"
[[attributions]]
name = "input_x_gradient"
[[metrics]]
name = "gini"
[[metrics]]
name = "pointing_game"
"""
FAILS = '''
from dataclasses import dataclass
from bench.api import Attribution

@dataclass(frozen=True)
class Fails(Attribution):
    """Fails."""

    def attribute(self, network, request):
        raise ValueError("\\x1b[31mno\\nway")
'''
BARE = '''
from bench.api import Attribution

class Bare(Attribution):
    """No dataclass of its own."""

    steps: int = 3

    def attribute(self, network, request):
        return request.images
'''


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with three plug-in files more: one that fails, one that cannot be imported, one that is no class."""
    root = tmp_path_factory.mktemp("checkout")
    for name in ("bench", "metrics", "datasets"):
        (root / name).symlink_to(ROOT / name)
    folder = root / "methods" / "attributions"
    folder.mkdir(parents=True)
    (root / "methods" / "recipes").symlink_to(ROOT / "methods" / "recipes")
    (root / "methods" / "adapters").symlink_to(ROOT / "methods" / "adapters")
    for path in (ROOT / "methods" / "attributions").glob("*.py"):
        (folder / path.name).symlink_to(path)
    (folder / "zz_fails.py").write_text(FAILS)
    (folder / "zz_broken.py").write_text("import no_such_library\n")
    (folder / "zz_bare.py").write_text(BARE)
    (root / "tiny.toml").write_text(SUITE.replace("EPOCHS", "1"))
    (root / "long.toml").write_text(SUITE.replace("EPOCHS", "100000"))
    (root / "uses.toml").write_text(SUITE.replace("EPOCHS", "1").replace("zz_fails", "zz_broken"))
    code = "import bench, bench.cli, pathlib; bench.__path__[:] = [P, '.']; bench.cli.main()"
    (root / "run.py").write_text(code.replace("P", repr(str(ROOT / "bench"))))
    return root


def heatmark(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, "run.py", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=pipe, stderr=pipe, text=True)


def without_progress(error: str) -> list[str]:
    """The lines without those of progress, which a slow machine has."""
    return [line for line in error.splitlines() if not re.search(r": [\d,]+ of [\d,]+(, |$)", line)]


def test_failed_cells_are_a_line_and_an_exit_status_of_their_own(checkout: Path) -> None:
    run = heatmark(checkout, "run", "tiny.toml", "--out", "board")
    out, error = run.communicate()
    assert run.returncode == 3, error
    (line,) = (line for line in without_progress(error) if "no more than guessing" not in line)
    assert re.search(r"zz_fails on small_plain by standard, gini, pointing_game, 4 images: failed: ValueError", line)
    assert line.isprintable()
    board = (checkout / "board" / "leaderboard.md").read_text().splitlines()
    (row,) = [row for row in board if "fails" in row]
    assert row.startswith("|  |"), "what has no score has no place"
    assert [row for row in board if row.startswith("| 1 |")]
    assert [row for row in board if row.startswith("| 2 |")]
    assert "zz_fails" not in next((line for line in out.splitlines() if line.lstrip().startswith("1")), "")


def test_a_file_that_cannot_be_imported_stops_only_those_who_use_it(checkout: Path) -> None:
    listed = heatmark(checkout, "list", "attributions")
    out, error = listed.communicate()
    assert listed.returncode == 0, error
    assert "simple_gradient" in out
    assert re.search(r"zz_broken.*cannot be imported: ModuleNotFoundError: No module named 'no_such_library'", out)
    checked = heatmark(checkout, "check", "zz_broken")
    _, error = checked.communicate()
    assert checked.returncode == 2
    assert "zz_broken.py cannot be imported" in error
    assert len(without_progress(error)) == 1
    used = heatmark(checkout, "run", "uses.toml")
    _, error = used.communicate()
    assert used.returncode == 2
    assert "uses.toml: attributions[0].name: plug-in file" in error
    assert len(without_progress(error)) == 1


@pytest.mark.parametrize(
    ("name", "broken", "kept"),
    [
        ("zz_fails", "gives maps of the right shape: ValueError: \\x1b[31mno way", "says what it is"),
        ("zz_bare", "says what it is: Bare is no dataclass", "gives maps of the right shape"),
    ],
)
def test_check_goes_on_after_a_broken_promise(checkout: Path, name: str, broken: str, kept: str) -> None:
    checked = heatmark(checkout, "check", name)
    out, error = checked.communicate()
    assert checked.returncode == 1, error
    assert f"broken  {broken}" in out
    assert f"kept    {kept}" in out
    assert without_progress(error) == []
    assert len(out.splitlines()) > 5


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.long), signal.SIGTERM])
def test_a_signal_ends_with_what_is_kept_and_how_to_go_on(checkout: Path, number: signal.Signals) -> None:
    run = heatmark(checkout, "run", "long.toml", "--store", f"kept-{number}")
    networks = checkout / f"kept-{number}" / "networks"
    deadline = time.monotonic() + 120
    while not list(networks.glob("*.partial")):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.2)
    os.kill(run.pid, number)
    _, error = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    (line,) = without_progress(error)
    assert f"stopped by {number.name}" in line
    assert f"are kept in kept-{number}" in line
    assert line.endswith(f"to go on: heatmark run long.toml --store kept-{number}")


def test_failures_of_one_method_for_one_reason_are_one_line() -> None:
    shared = {"network": "n", "recipe": "r", "attribution": "a", "images": 4}
    failures = [{**shared, "metric": f"m{i}", "status": "failed: no"} for i in range(5)]
    failures += [
        {**shared, "metric": "m", "status": "failed: other"},
        {**shared, "metric": "x", "status": "unsupported: x"},
    ]
    assert failure_lines(failures) == [
        "a on n by r, m0, m1, m2 and 2 more, 4 images: failed: no",
        "a on n by r, m, 4 images: failed: other",
    ]
