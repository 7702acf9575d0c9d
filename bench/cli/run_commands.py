"""`heatmark run`, `train` and `show`: commands that compute."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import say
from bench.cli.failures import end_with
from bench.cli.interruption import interruptible, kept_in
from bench.cli.options import AllowCode, Download, Folder, Memory, Names, SuiteName, device_of, names_of, writable_file
from bench.errors import HeatmarkError


def run(
    suite: SuiteName = "embedded",
    images: Annotated[int | None, typer.Option(min=1, help="How many images, instead of the suite's number.")] = None,
    attributions: Names = None,
    metrics: Names = None,
    quick: Annotated[bool, typer.Option("--quick", help="The suite's own small size.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train networks even where weights are at hand.")] = False,
    download: Download = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path | None, typer.Option(help="Where the result set and report go.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with a GPU or an equal share of the cores.")] = 1,
    executor: Annotated[
        str | None, typer.Option(help="dask:ADDRESS, ray:ADDRESS, slurm, or module:function that makes an executor.")
    ] = None,
    limit: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds that a worker may take for one batch of images; else as long as it takes."),
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Only part K of N, as 3/16; /16 takes K from a job array. `report` gathers.")
    ] = None,
    decide: Annotated[
        bool, typer.Option("--decide", help="No more images than it takes to decide the places of the methods.")
    ] = False,
    half_width: Annotated[
        float | None, typer.Option(help="With --decide: stop a method whose share of wins is known within this.")
    ] = None,
    keep_heatmaps: Annotated[
        bool,
        typer.Option("--keep-heatmaps", help="Keep all heatmaps in the store, for metrics asked for later."),
    ] = False,
    memory: Memory = None,
    allow_code: AllowCode = False,
) -> None:
    """Carry out a suite and show its leaderboard; finished cells are not computed again.

    Exit status 3 where a method or metric failed: the scores that are there are right, and each failure is a line.
    """
    if executor is not None and not allow_code:
        from bench.parallel.executors import runs_code

        if runs_code(executor):
            raise HeatmarkError(f"--executor {executor} is code of your own; --allow-code runs it")
    with interruptible(kept_in(store)):
        from bench.suites.read import read_suite

        file = read_suite(
            suite,
            ({"dataset": {"images": images}} if images else {})
            | ({"networks": {"download": True}} if download else {}),
            only={"attributions": names_of(attributions), "metrics": names_of(metrics)},
            quick=quick,
            allow_code=allow_code,
        )
        said = {"--images": images, "--attributions": attributions, "--metrics": metrics, "--half-width": half_width}
        options = [part for name, value in said.items() if value is not None for part in (name, str(value))]
        on = {"--quick": quick, "--retrain": retrain, "--allow-code": allow_code, "--download": download}
        on |= {"--decide": decide, "--keep-heatmaps": keep_heatmaps}
        command = shlex.join([*shlex.split(file.command), *options, *(name for name, wanted in on.items() if wanted)])
        from bench.cli.run_to_board import How, carry_out

        how = How(
            *(device, store, out, workers, executor, limit, shard, retrain, decide, half_width),
            *(keep_heatmaps, memory),
        )
        failures = carry_out(replace(file, command=command), how)
    end_with(failures)


def train(
    suite: SuiteName = "embedded",
    network: Annotated[str | None, typer.Option(help="A network of the suite by name; default: its first.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Its recipe as the board names it; default: the first.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The suite's own small size.")] = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path | None, typer.Option(help="Where a copy of the weights goes, as .safetensors.")] = None,
    allow_code: AllowCode = False,
) -> None:
    """Train one network of a suite by its recipe and say how accurate it is; a killed training goes on."""
    if out is not None:
        writable_file(out)
    from bench.suites.read import read_suite

    file = read_suite(suite, quick=quick, allow_code=allow_code)
    from bench.progress import progress
    from bench.report.heat_table import percent
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.runner.run import train_one
    from bench.suites.load import with_plugins

    loaded = with_plugins(file)
    with interruptible(kept_in(store)), progress() as bars:
        run = Run(loaded, Store(store), device_of(device), bars)
        row = train_one(run, loaded.number_of(network, recipe), out)
    say(
        f"{row['network']} by {row['recipe']}: accuracy {percent(row['accuracy'])} on {row['images']} images, "
        f"{percent(row['robust_accuracy'])} under attack"
    )


def show(
    image: Annotated[str, typer.Argument(help="An image file, or an image id of the suite's data set.")],
    methods: Annotated[str | None, typer.Option(help="Attributions, comma-separated; default: the suite's.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="The suite whose network explains the image; default: embedded.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="A network of the suite, or any by name: resnet50, timm:NAME, hf:NAME.")
    ] = None,
    download: Download = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("heatmaps.png"),
    allow_code: AllowCode = False,
) -> None:
    """Say what a network sees in an image, and draw its heatmaps by several attributions over it."""
    writable_file(out)
    from bench.suites.read import read_suite

    only = {"attributions": names_of(methods)}
    file = read_suite(suite or "embedded", only=only, allow_code=allow_code)
    if network is not None and network not in [own.label for own in file.table.networks]:
        from bench.pretrained.by_name import is_named

        if is_named(network):
            own = {"networks": [{"architecture": network, "download": download}]}
            file, network = read_suite(suite or "photographs", own, only, allow_code=allow_code), None
    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.runner.show import draw
    from bench.suites.load import with_plugins

    loaded = with_plugins(file)
    with interruptible(kept_in(store)), progress() as bars:
        seen = draw(Run(loaded, Store(store), device_of(device), bars), image, network, out)
    say(f"{image}: {seen}")
    say(f"Picture: {out}")
