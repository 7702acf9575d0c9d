"""`heatmark run`, `train` and `show`: commands that compute."""

import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.console import console
from bench.cli.options import Folder, Names, SuiteName, device_of, names_of


def run(
    suite: SuiteName = "embedded",
    images: Annotated[int | None, typer.Option(min=1, help="How many images, instead of the suite's number.")] = None,
    attributions: Names = None,
    metrics: Names = None,
    quick: Annotated[bool, typer.Option("--quick", help="The suite's own small size.")] = False,
    retrain: Annotated[bool, typer.Option("--retrain", help="Train networks even where weights are at hand.")] = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path | None, typer.Option(help="Where the result set and report go.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, each with a GPU or an equal share of the cores.")] = 1,
    executor: Annotated[
        str | None, typer.Option(help="dask:ADDRESS, ray:ADDRESS, slurm, or module:function that makes an executor.")
    ] = None,
    limit: Annotated[
        float | None, typer.Option(min=1, help="Seconds that a worker may take for one batch of images.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Only part K of N, as 3/16; /16 takes K from a job array. `report` gathers.")
    ] = None,
) -> None:
    """Carry out a suite and show its leaderboard; finished cells are not computed again."""
    from bench.suites.read import read_suite

    file = read_suite(
        suite,
        {"dataset": {"images": images}} if images else {},
        only={"attributions": names_of(attributions), "metrics": names_of(metrics)},
        quick=quick,
    )
    from bench.parallel.carry_out import carried_out, one_shard
    from bench.parallel.units import Job, shard_of
    from bench.progress import progress
    from bench.report.terminal import show as show_board
    from bench.report.view import view_of
    from bench.report.write import write_with_report
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.suites.load import with_plugins

    said = {"--images": images, "--attributions": attributions, "--metrics": metrics}
    options = [part for name, value in said.items() if value is not None for part in (name, str(value))]
    flags = [name for name, on in {"--quick": quick, "--retrain": retrain}.items() if on]
    command = shlex.join([*shlex.split(file.command), *options, *flags])
    file = replace(file, command=command)
    place = device_of(device)
    with progress() as bars:
        job = Job(file, store, place.type, workers, retrain)
        run = Run(with_plugins(file), Store(store), place, bars)
        if shard is not None:
            console.print(one_shard(job, run, *shard_of(shard)), soft_wrap=True)
            return
        results = carried_out(job, run, executor, limit)
    results.manifest["created"] = datetime.now(UTC).date().isoformat()
    folder = out or store / "results" / file.table.name
    write_with_report(results, folder)
    show_board(view_of(results), console)
    console.print(f"Result set and report: {folder}", soft_wrap=True)


def train(
    suite: SuiteName = "embedded",
    network: Annotated[str | None, typer.Option(help="A network of the suite by name; default: its first.")] = None,
    recipe: Annotated[str | None, typer.Option(help="Its recipe as the board names it; default: the first.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="The suite's own small size.")] = False,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path | None, typer.Option(help="Where a copy of the weights goes, as .safetensors.")] = None,
) -> None:
    """Train one network of a suite by its recipe and say how accurate it is; a killed training goes on."""
    from bench.suites.read import read_suite

    file = read_suite(suite, quick=quick)
    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.runner.networks import number_of
    from bench.runner.records import Run
    from bench.runner.run import train_one
    from bench.suites.load import with_plugins

    loaded = with_plugins(file)
    with progress() as bars:
        run = Run(loaded, Store(store), device_of(device), bars)
        row = train_one(run, number_of(loaded, network, recipe), out)
    console.print(
        f"{row['network']} by {row['recipe']}: accuracy {row['accuracy']:.1%} on {row['images']} images, "
        f"{row['robust_accuracy']:.1%} under attack",
        soft_wrap=True,
    )


def show(
    image: Annotated[str, typer.Argument(help="An image file, or an image id of the suite's data set.")],
    methods: Annotated[str | None, typer.Option(help="Attributions, comma-separated; default: the suite's.")] = None,
    suite: Annotated[str, typer.Option(help="The suite whose network explains the image.")] = "embedded",
    network: Annotated[str | None, typer.Option(help="A network of the suite by name; default: its first.")] = None,
    device: Annotated[str, typer.Option(help="A torch device; auto takes a GPU where there is one.")] = "auto",
    store: Folder = Path(".heatmark"),
    out: Annotated[Path, typer.Option(help="The picture to write.")] = Path("heatmaps.png"),
) -> None:
    """Draw one image's heatmaps by several attributions side by side."""
    from bench.suites.read import read_suite

    file = read_suite(suite, only={"attributions": names_of(methods)})
    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.runner.records import Run
    from bench.runner.show import draw
    from bench.suites.load import with_plugins

    loaded = with_plugins(file)
    with progress() as bars:
        draw(Run(loaded, Store(store), device_of(device), bars), image, network, out)
    console.print(f"Picture: {out}", soft_wrap=True)
