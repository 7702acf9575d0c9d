"""What carries units to other processes: a local pool, or any executor of the form of concurrent.futures, by name."""

import importlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from bench.errors import HeatmarkError, nearest


class Executor(Protocol):
    """The part of `concurrent.futures.Executor` that is used."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> "Future[Any]":
        """A future of the function's result."""


class LocalPool:
    """Processes of this machine, each with its own memory; one that dies or hangs costs the unit that it worked on."""

    def __init__(self, workers: int, limit: float | None) -> None:
        from pebble import ProcessPool

        self.pool = ProcessPool(max_workers=workers, context=get_context("spawn"))
        self.limit = limit

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> "Future[Any]":
        """A future of the function's result; TimeoutError after the limit, ProcessExpired where the process died."""
        future: Future[Any] = self.pool.schedule(function, args=arguments, timeout=self.limit)
        return future


@contextmanager
def local_pool(workers: int, limit: float | None) -> Iterator[Executor]:
    """A pool of `workers` processes; a unit may take `limit` seconds."""
    local = LocalPool(workers, limit)
    try:
        yield local
        local.pool.close()
    except BaseException:
        local.pool.stop()
        raise
    finally:
        local.pool.join()


@contextmanager
def executor_named(said: str, workers: int) -> Iterator[Executor]:
    """`dask:ADDRESS`, `ray:ADDRESS`, `slurm`, or `module:function` that returns an executor.

    `workers`: processes of an engine on this machine, which is what Dask and Ray are without an address. HeatmarkError
    with the command that installs what is absent, or the nearest name.
    """
    name, _, address = said.partition(":")
    if name in _KNOWN:
        with _KNOWN[name](address, workers) as executor:
            yield executor
    elif address:
        try:
            made = getattr(importlib.import_module(name), address)()
        except (ImportError, AttributeError, TypeError) as error:
            raise HeatmarkError(f"--executor {said}: {type(error).__name__}: {error}") from error
        with made as executor:
            yield executor
    else:
        raise HeatmarkError(f"--executor {said}: {nearest(name, _KNOWN)}; or module:function of your own")


@contextmanager
def _dask(address: str, workers: int) -> Iterator[Executor]:
    """A Dask cluster's scheduler, or a cluster of this machine without an address."""
    library = _library("distributed", "dask")
    client = (
        library.Client(address)
        if address
        else library.Client(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    )
    try:
        yield client.get_executor(retries=0)
    finally:
        client.close()


@contextmanager
def _ray(address: str, workers: int) -> Iterator[Executor]:
    """A Ray cluster, or one of this machine without an address."""
    ray = _library("ray", "ray")
    if address:
        ray.init(address, log_to_driver=False)
    else:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)

    class OnRay:
        """Units as Ray tasks."""

        def submit(self, function: Callable[..., Any], /, *arguments: Any) -> "Future[Any]":
            """A future of the function's result."""
            future: Future[Any] = ray.remote(function).options(max_retries=0).remote(*arguments).future()
            return future

    try:
        yield OnRay()
    finally:
        ray.shutdown()


@contextmanager
def _slurm(_: str, __: int) -> Iterator[Executor]:
    """Jobs of Slurm by executorlib, whose futures are those of concurrent.futures; submitit's jobs are none.

    What it hands to the jobs lies in the working folder, which every node has to see, for as long as the run lasts: it
    would else answer the next run's calls with what it remembers.
    """
    library = _library("executorlib", "slurm")
    with (
        TemporaryDirectory(prefix="heatmark-slurm-", dir=Path.cwd()) as folder,
        library.SlurmClusterExecutor(cache_directory=folder) as executor,
    ):
        yield executor


_KNOWN = {"dask": _dask, "ray": _ray, "slurm": _slurm}


def runs_code(said: str) -> bool:
    """Whether an executor is somebody's own function."""
    return ":" in said and said.partition(":")[0] not in _KNOWN


def _library(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise HeatmarkError(f'--executor {extra} needs {module}: pip install "heatmark[{extra}]"') from error
