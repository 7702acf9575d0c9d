"""The command `heatmark`."""

import logging
import shlex
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from bench._version import version
from bench.arguments import device_of, names_of, weights_of
from bench.errors import HeatmarkError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure how good attribution heatmaps are.",
)
# A table in a file or a log is not cut to the width of no terminal.
_out = Console(width=None if sys.stdout.isatty() else 200, emoji=False)

SuiteName = Annotated[str, typer.Argument(help="A shipped suite by name, or a TOML file.")]
Folder = Annotated[Path, typer.Option(help="Where finished cells and trained networks are kept.")]
Names = Annotated[str | None, typer.Option(help="Only these, comma-separated.")]


def _show_version(wanted: bool) -> None:
    if wanted:
        _out.print(f"heatmark {version}")
        raise typer.Exit


@app.callback()
def _options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks, also of plug-ins that failed.")] = False,
) -> None:
    del show_version  # its callback has done all of it
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(message)s")
    logging.getLogger("heatmark").setLevel(logging.DEBUG if debug else logging.INFO)


@app.command()
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
) -> None:
    """Carry out a suite and show its leaderboard; finished cells are not computed again."""
    from bench.audit import audited
    from bench.board import board_of
    from bench.progress import progress
    from bench.report import write_report
    from bench.report.terminal import show as show_board
    from bench.report.terminal import show_networks
    from bench.run import run as run_suite
    from bench.store import Store, write_results
    from bench.suite import load_suite

    loaded = load_suite(
        suite,
        {"dataset": {"images": images}} if images else {},
        only={"attributions": names_of(attributions), "metrics": names_of(metrics)},
        quick=quick,
    )
    said = {"--images": images, "--attributions": attributions, "--metrics": metrics}
    options = [part for name, value in said.items() if value is not None for part in (name, str(value))]
    flags = [name for name, on in {"--quick": quick, "--retrain": retrain}.items() if on]
    loaded = replace(loaded, command=shlex.join([*shlex.split(loaded.command), *options, *flags]))
    with progress() as bars:
        results = run_suite(loaded, Store(store), device_of(device), bars, retrain=retrain)
    results.manifest["created"] = datetime.now(UTC).date().isoformat()
    folder = out or store / "results" / loaded.table.name
    write_results(results, folder)
    write_report(results, folder)
    show_board(audited(board_of(results)), _out)
    show_networks(results.networks, _out)
    _out.print(f"Result set and report: {folder}", soft_wrap=True)


@app.command()
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
    from bench.progress import progress
    from bench.run import train_one
    from bench.store import Store
    from bench.suite import load_suite
    from bench.zoo import number_of

    loaded = load_suite(suite, quick=quick)
    with progress() as bars:
        row = train_one(loaded, number_of(loaded, network, recipe), Store(store), device_of(device), bars, out)
    _out.print(
        f"{row['network']} by {row['recipe']}: accuracy {row['accuracy']:.1%} on {row['images']} images, "
        f"{row['robust_accuracy']:.1%} under attack",
        soft_wrap=True,
    )


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    table: Annotated[
        Literal["terminal", "markdown", "latex", "csv", "json"] | None,
        typer.Option(help="Print one table instead of writing the whole report."),
    ] = None,
    metrics: Names = None,
    entries: Names = None,
    weights: Annotated[
        str | None, typer.Option(help="Weights of metrics in the order over all, as deletion=2,gini=1; others 0.")
    ] = None,
) -> None:
    """Write the report of a result set anew, or print its leaderboard, or a part of it, as a table."""
    from bench.audit import audited
    from bench.board import board_of
    from bench.report import write_report
    from bench.report.tables import render, table_of
    from bench.report.terminal import show as show_board
    from bench.report.terminal import show_networks
    from bench.store import read_results

    results, asked = read_results(folder), weights_of(weights)
    if table is None:
        if metrics or entries:
            raise HeatmarkError("--metrics and --entries choose what a table shows; expected --table with them")
        write_report(results, folder, asked)
        _out.print(f"Report: {folder}", soft_wrap=True)
        return
    board = audited(board_of(results, asked)).select(names_of(metrics), names_of(entries))
    if table == "terminal":
        show_board(board, _out)
        show_networks(results.networks, _out)
    else:
        sys.stdout.write(render(table_of(board), table))


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="Where the published copy goes, such as results/NAME.")],
) -> None:
    """Copy a result set for others to see, with its report, without pictures whose licence forbids it."""
    from bench.publish import publishable
    from bench.report import write_report
    from bench.store import read_results, write_results

    if out.resolve() == folder.resolve():
        raise HeatmarkError(f"{out} is the result set itself; expected another folder for its published copy")
    results = publishable(read_results(folder))
    write_results(results, out)
    write_report(results, out)
    _out.print(f"Published: {out}", soft_wrap=True)


@app.command()
def pictures(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="The folder for the pictures, a PNG file each.")],
) -> None:
    """Write the sample images and heatmaps of a result set as PNG files."""
    from bench.gallery import write_pictures
    from bench.store import read_results

    count = write_pictures(read_results(folder).heatmaps, out)
    _out.print(f"{count} pictures: {out}", soft_wrap=True)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="The result set before.")],
    second: Annotated[Path, typer.Argument(help="The result set after.")],
    table: Annotated[
        Literal["terminal", "csv", "json"], typer.Option(help="What changed to read, or every row for programs.")
    ] = "terminal",
) -> None:
    """Say what changed beyond noise between two result sets; exit status 1 when anything got surely worse."""
    from bench.compare import compare as compare_results
    from bench.report.changes import render, show
    from bench.store import read_results

    comparison = compare_results(read_results(first), read_results(second))
    if table == "terminal":
        show(comparison, _out)
    else:
        sys.stdout.write(render(comparison, table))
    raise typer.Exit(1 if comparison.regressed else 0)


@app.command("list")
def list_plugins(
    kind: Annotated[
        Literal["all", "recipes", "attributions", "metrics", "datasets", "suites"], typer.Argument(help="What to list.")
    ] = "all",
    long: Annotated[
        bool, typer.Option("--long", help="With settings, reference and, for metrics, the whole card.")
    ] = False,
) -> None:
    """List the plug-ins that were found, and the shipped suites."""
    from bench.cards import card
    from bench.plugins import BASES, find
    from bench.suite import shipped_suites

    for name in BASES if kind == "all" else [kind] if kind in BASES else []:
        listing = Table("name", "what it is", title=name, title_justify="left", box=None, pad_edge=False)
        for plugin in find(name).values():
            listing.add_row(plugin.name, card(plugin) if long else plugin.summary())
        _out.print(listing, "")
    if kind in {"all", "suites"}:
        _out.print("suites", *shipped_suites(), sep="\n")


@app.command()
def check(
    name: Annotated[str, typer.Argument(help="A plug-in of any kind, by name.")],
    settings: Annotated[str, typer.Option(help="Its settings, as a JSON object.")] = "{}",
) -> None:
    """Try everything that a plug-in of its kind promises; the exit status is 1 where a promise is broken."""
    import json

    from bench.checks import trials
    from bench.plugins import kind_of
    from bench.suite import make_plugin

    try:
        own = json.loads(settings)
    except ValueError:
        own = None
    if not isinstance(own, dict):
        raise HeatmarkError(f"--settings: expected a JSON object such as '{{\"steps\": 8}}', got {settings}")
    broken = 0
    for promise, trial in trials(make_plugin(kind_of(name), {**own, "name": name}, "--settings")):
        try:
            trial()
        except AssertionError as breach:
            broken += 1
            _out.print(f"broken  {promise.replace('_', ' ')}: {breach}", markup=False, soft_wrap=True)
        else:
            _out.print(f"kept    {promise.replace('_', ' ')}", markup=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)


@app.command()
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
    from bench.progress import progress
    from bench.show import draw
    from bench.suite import load_suite

    loaded = load_suite(suite, only={"attributions": names_of(methods)})
    with progress() as bars:
        draw(loaded, image, network, store / "networks", device_of(device), bars, out)
    _out.print(f"Picture: {out}", soft_wrap=True)


def main() -> NoReturn:
    """Run the command; an error that the user can mend is one line."""
    try:
        app()
    except (HeatmarkError, OSError) as error:
        if "--debug" in sys.argv:
            raise
        said = Console(stderr=True, emoji=False)
        said.print(f"heatmark: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(2) from error
    raise SystemExit(0)
