"""A large board, from its scores on disk to the whole report: how long, and how much memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

from pytest_benchmark.fixture import BenchmarkFixture
from simulated import large

from bench.store import write_results

MOST_SECONDS = 60
MOST_GIB = 2.0


def test_a_board_of_60_entries_30_metrics_and_5000_images(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    write_results(large(60, 30, 5000), tmp_path)
    command = [sys.executable, "-m", "bench", "report", str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    benchmark.pedantic(lambda: subprocess.run(command, env=environment, check=True), rounds=1)
    # Of all commands that this process waited for; this is the largest.
    gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    benchmark.extra_info["GiB"] = round(gib, 2)
    assert (tmp_path / "index.html").exists()
    assert benchmark.stats.stats.max < MOST_SECONDS
    assert gib < MOST_GIB
