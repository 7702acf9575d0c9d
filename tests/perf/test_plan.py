"""A plan says beforehand how many seconds a run then takes, within a quarter."""

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

WITHIN = 0.25
CASES = [("embedded", "--quick"), ("embedded", "--images", "32"), ("imagenette", "--images", "20")]


def heatmark(*words: str) -> tuple[str, float, float]:
    """What a command prints, and the seconds of the processor and of the clock that it takes, with one thread."""
    program = [sys.executable, "-m", "bench", *words]
    given = {**os.environ, "OMP_NUM_THREADS": "1"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(program, env=given, stdout=subprocess.PIPE, text=True, check=True)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, took


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_a_plan_predicts_what_the_run_takes(
    words: tuple[str, ...], tmp_path: Path, benchmark: BenchmarkFixture
) -> None:
    if words[0] == "imagenette" and "HEATMARK_REAL_DATA" not in os.environ:
        pytest.skip("HEATMARK_REAL_DATA is not set")
    options = [*words, "--store", str(tmp_path / "store")]
    said, planning, _ = heatmark("plan", *options, "--json")
    predicted = 60 * json.loads(said)["minutes"]["1"]
    # Of the processor: what others do on the machine does not count.
    _, seconds, clock = benchmark.pedantic(lambda: heatmark("run", *options), rounds=1)
    found = {"predicted": predicted, "processor": seconds, "clock": clock, "planning": planning}
    benchmark.extra_info |= found
    assert abs(predicted / seconds - 1) <= WITHIN, found
