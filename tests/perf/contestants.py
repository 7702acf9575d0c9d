"""Contestants timed in turn on a noisy machine, and their figures kept in results/performance."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from pytest_benchmark.fixture import BenchmarkFixture

RESULTS = Path(__file__).parents[2] / "results" / "performance"
KEYS = ["group", "case", "round", "contestant"]


CLOCKS = {"cpu": time.process_time, "wall": time.perf_counter}


@dataclass(frozen=True)
class Contestant:
    """Something to be timed: how many forward (or forward and backward) passes of one image `run` makes."""

    name: str
    run: Callable[[], object]
    passes: int
    version: str = ""


def contest(
    benchmark: BenchmarkFixture,
    group: str,
    case: str,
    contestants: Sequence[Contestant],
    rounds: int,
    first_round: int = 0,
    *,
    warm_up: bool = True,
) -> pd.DataFrame:
    """Seconds of each contestant in each round, there and back again so that a drift of the machine hits all alike."""
    rows: list[dict[str, object]] = []

    def one_round() -> None:
        number = first_round + len(rows) // len(contestants)
        for contestant in contestants if number % 2 else reversed(contestants):
            seconds = seconds_of(contestant.run)
            rows.append(
                {
                    "group": group,
                    "case": case,
                    "round": number,
                    "contestant": contestant.name,
                    "version": contestant.version,
                    "passes": contestant.passes,
                    "seconds": round(seconds, 5),
                    **machine(),
                }
            )

    if warm_up:
        one_round()
        rows.clear()
    benchmark.group = group
    benchmark.pedantic(one_round, rounds=rounds)
    table = pd.DataFrame(rows)
    keep("timings.csv", table, KEYS)
    per_pass = table.seconds / table.passes
    benchmark.extra_info |= {name: own.median() for name, own in per_pass.groupby(table.contestant)}
    return table


def seconds_of(run: Callable[[], object]) -> float:
    """How long it takes, by `clock`, the device's work included."""
    wait()
    began = CLOCKS[clock()]()
    run()
    wait()
    return CLOCKS[clock()]() - began


def clock() -> str:
    """CPU time where one thread does all the work, so that what else the machine does is not counted; else the wall's.

    Threads that wait for each other count as working, and a GPU's work does not count.
    """
    return "cpu" if torch.get_num_threads() == 1 and not torch.cuda.is_available() else "wall"


def wait() -> None:
    """Until a GPU, where there is one, has done what it was asked to."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def times_faster(table: pd.DataFrame, contestant: str, than: str) -> float:
    """The median over rounds of the ratio of seconds per pass."""
    per_pass = table.assign(each=table.seconds / table.passes).pivot_table("each", "round", "contestant")
    return float((per_pass[than] / per_pass[contestant]).median())


def keep(file: str, rows: pd.DataFrame, keys: list[str]) -> None:
    """Put rows into a CSV of the published figures, in the place of those of the same keys."""
    path = RESULTS / file
    if path.exists():
        rows = pd.concat([pd.read_csv(path, keep_default_na=False), rows])
    RESULTS.mkdir(parents=True, exist_ok=True)
    rows.drop_duplicates(keys, keep="last").sort_values(keys).to_csv(path, index=False)


def machine() -> dict[str, object]:
    """What the figures depend on besides the code."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    return {
        "processor": torch.cuda.get_device_name() if torch.cuda.is_available() else processor,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "clock": clock(),
        "torch": torch.__version__,
    }
