"""`heatmark plan`: what a suite will cost before it starts."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import write
from bench.cli.options import (
    AllowCode,
    Download,
    Folder,
    Memory,
    Names,
    SuiteName,
    check_decides_alone,
    device_of,
    names_of,
)
from bench.errors import HeatmarkError


def plan(
    suite: SuiteName = "embedded",
    images: Annotated[int | None, typer.Option(min=1, help="How many images, instead of the suite's number.")] = None,
    attributions: Names = None,
    metrics: Names = None,
    quick: Annotated[bool, typer.Option("--quick", help="The suite's own small size.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train networks even where weights are at hand.")] = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with a GPU or an equal share of the cores.")] = 1,
    throughput: Annotated[
        str | None,
        typer.Option(help="Images a second forward, and there and back, as 2000,600: of a device that is not here."),
    ] = None,
    decide: Annotated[
        bool, typer.Option("--decide", help="How few passes `run --decide` can take, and how many it may.")
    ] = False,
    memory: Memory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Everything for programs, on standard output.")] = False,
    download: Download = False,
    allow_code: AllowCode = False,
) -> None:
    """Say what a suite will cost before it starts: cells, passes, minutes, memory, bytes, and what is there already."""
    from bench.suites.read import read_suite

    file = read_suite(
        suite,
        ({"dataset": {"images": images}} if images else {}) | ({"networks": {"download": True}} if download else {}),
        only={"attributions": names_of(attributions), "metrics": names_of(metrics)},
        quick=quick,
        allow_code=allow_code,
    )
    given = _given(throughput)
    if decide:
        check_decides_alone({"--workers": workers if workers > 1 else None})
    from bench.cli import run_to_board  # noqa: F401 - all that a run imports, for the seconds that it takes
    from bench.cli.plan_table import show, show_decided
    from bench.engine.memory_limit import memory_of
    from bench.parallel.carry_out import threads_of
    from bench.parallel.plan import plan_of
    from bench.parallel.throughput import Throughput
    from bench.parallel.units import Job
    from bench.progress import progress
    from bench.racing.race import check_places
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.suites.load import with_plugins

    place, limit = device_of(device), memory_of(memory, "--memory")
    job = Job(file, store, place.type, workers, retrain, memory=limit)
    speed = None if given is None else Throughput(1 / given[0], 1 / given[0], 1 / given[1])
    ready = with_plugins(file)
    if decide:
        check_places(ready)
    with progress() as bars, threads_of(job) if workers > 1 else nullcontext():
        planned = plan_of(job, Run(ready, Store(store), place, bars, memory=limit), speed)
    if as_json:
        write(json.dumps(planned.record(), indent=2) + "\n")
    else:
        show(planned)
        if decide:
            show_decided(planned)


def _given(said: str | None) -> tuple[float, float] | None:
    """Images a second forward, and there and back."""
    if said is None:
        return None
    try:
        forward, gradient = (float(part) for part in said.split(","))
    except ValueError:
        forward = gradient = 0.0
    if not (0 < forward < float("inf") and 0 < gradient < float("inf")):
        raise HeatmarkError(f"--throughput {said}: expected images a second forward, and there and back, as 2000,600")
    return forward, gradient
