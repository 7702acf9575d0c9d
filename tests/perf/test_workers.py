"""Two processes on two cores against one on one: what sharing the work loses, and what each engine takes to start."""

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from bench.parallel.carry_out import by_executor, one_shard, threads_of
from bench.parallel.executors import executor_named, local_pool
from bench.parallel.units import Job
from bench.progress import silent
from bench.results.cell_store import Store
from bench.runner.records import Run
from bench.suites.load import with_plugins
from bench.suites.read import read_suite

AT_LEAST = 0.85
CASES = {"embedded": {"dataset": {"images": 64}}, "imagenette": {"dataset": {"images": 8}, "batch": 1, "gallery": 0}}
CHUNKS = {"embedded": 16, "imagenette": 8}


@contextmanager
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def job_of(suite: str, store: Path, processes: int) -> Job:
    """The job in a store that knows its chunks, so that nothing is measured while the clock runs."""
    store.mkdir()
    names = {"embedded": ("small_plain 64x64", "small_resnet 64x64"), "imagenette": ("squeezenet1_1 224x224",)}[suite]
    (store / "chunks.json").write_text(json.dumps({f"{name} fp32 cpu 1 threads": CHUNKS[suite] for name in names}))
    overrides = CASES[suite] | {"engine": {"precision": "fp32"}}
    return Job(read_suite(suite, overrides), store, "cpu", processes)


def run_of(job: Job) -> Run:
    return Run(with_plugins(job.suite), Store(job.store), torch.device("cpu"), silent())


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def nothing() -> int:
    """What a worker answers once it has imported everything."""
    from bench.parallel import carry_out

    return len(carry_out.__name__)


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core cannot be shared")
@pytest.mark.parametrize("suite", CASES)
def test_two_workers_share_the_work(suite: str, tmp_path: Path, benchmark: BenchmarkFixture) -> None:
    if suite == "imagenette" and "HEATMARK_REAL_DATA" not in os.environ:
        pytest.skip("HEATMARK_REAL_DATA is not set")
    alone, shared = job_of(suite, tmp_path / "alone", 1), job_of(suite, tmp_path / "shared", 2)
    with one_thread():
        one = seconds_of(lambda: one_shard(alone, run_of(alone), 1, 1))
    with threads_of(shared), local_pool(2, None) as pool:
        start = seconds_of(lambda: [future.result() for future in [pool.submit(nothing) for _ in range(2)]])
        two = benchmark.pedantic(lambda: seconds_of(lambda: by_executor(shared, run_of(shared), pool)), rounds=1)
    efficiency = one / (2 * two)
    benchmark.extra_info |= {"one process": one, "two workers": two, "start": start, "efficiency": efficiency}
    assert efficiency >= AT_LEAST, benchmark.extra_info


@pytest.mark.parametrize("engine", ["workers", "dask:", "ray:"])
def test_what_an_engine_takes_to_start(engine: str, benchmark: BenchmarkFixture) -> None:
    library = {"dask:": "distributed", "ray:": "ray"}.get(engine)
    if library is not None and find_spec(library) is None:
        pytest.skip(f"{library} is not installed")

    def start() -> None:
        with local_pool(2, None) if engine == "workers" else executor_named(engine, 2) as carrier:
            for future in [carrier.submit(nothing) for _ in range(2)]:
                future.result()

    benchmark.pedantic(start, rounds=1)
