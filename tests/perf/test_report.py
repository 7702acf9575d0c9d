"""A large board, from its scores on disk to the whole report: how long, and how much memory."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.results.result_set import write_results
from tests.support.simulated_results import large

MOST_SECONDS = 60
MOST_GIB = 2.0

# The command, which says at its end how much memory it held at most. What the system adds up for a child begins with
# the size of the process that started it, and here that one has made the scores.
COMMAND = """
import atexit, pathlib
from bench.cli import main
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text()))
main()
"""


@pytest.mark.parametrize("recipes", [1, 5])
def test_a_board_of_60_entries_30_metrics_and_5000_images(
    benchmark: BenchmarkFixture, tmp_path: Path, recipes: int
) -> None:
    write_results(large(60, 30, 5000, recipes), tmp_path)
    command = [sys.executable, "-c", COMMAND, "report", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def report() -> str:
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    said = benchmark.pedantic(report, rounds=1)
    gib = int(re.findall(r"VmHWM:\s+(\d+) kB", said)[0]) / 2**20
    benchmark.extra_info["GiB"] = round(gib, 2)
    assert (tmp_path / "index.html").exists()
    assert benchmark.stats.stats.max < MOST_SECONDS
    assert gib < MOST_GIB
