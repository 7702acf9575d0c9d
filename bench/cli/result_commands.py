"""`heatmark report`, `publish`, `pictures` and `compare`: commands that read result sets."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.console import console, say, write
from bench.cli.failures import end_with, failure_lines
from bench.cli.options import AllowCode, Folder, device_of, names_of, weights_of
from bench.errors import HeatmarkError


def report(
    folder: Annotated[Path, typer.Argument(help="A result set, or a suite whose shards are to be gathered.")],
    table: Annotated[
        Literal["terminal", "markdown", "latex", "csv", "json"] | None,
        typer.Option(
            show_choices=False,
            help="Print one table instead of the whole report: terminal, markdown, latex, csv or json.",
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            "--columns",
            help="Only these columns, comma-separated: names or labels, as --table csv has them.",
        ),
    ] = None,
    entries: Annotated[
        str | None, typer.Option(help="Only these rows, comma-separated: names or labels, as --table csv has them.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Weights of metrics in the order over all, as deletion=2,gini=1; others 0.")
    ] = None,
    short: Annotated[bool, typer.Option("--short", help="A LaTeX table without intervals.")] = False,
    full: Annotated[bool, typer.Option("--full", help="Print the terminal's table and every score.")] = False,
    store: Folder = Path(".heatmark"),
    allow_code: AllowCode = False,
) -> None:
    """Write the report of a result set anew, or print its leaderboard, or a part of it, as a table.

    Given a suite, first gathers what its shards have left in the store; exit status 3 where a method or metric failed.
    """
    chosen_weights = weights_of(weights)
    if full and table is None:
        table = "terminal"
    if table is None and (metrics or entries):
        raise HeatmarkError("--metrics and --entries choose what a table shows; expected --table with them")
    from bench.results.result_set import read_results
    from bench.suites.read import shipped_suites

    failures: list[str] = []
    if not folder.is_dir() and (folder.suffix == ".toml" or str(folder) in shipped_suites()):
        folder, failures = _gathered(str(folder), store, allow_code=allow_code)
    results = read_results(folder)
    if table is None:
        from bench.report.write import write_report

        write_report(results, folder, chosen_weights)
        say(f"Report: {folder}")
    else:
        from bench.cli.board_table import print_board
        from bench.report.view import view_of

        chosen = names_of(metrics), names_of(entries)
        print_board(results, view_of(results, chosen_weights, *chosen), table, short=short, full=full)
    end_with(failures)


def figure(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    name: Annotated[str, typer.Argument(help="A figure by name, as place, ranks, gallery or curve_deletion.")],
    width: Annotated[Literal["column", "page"], typer.Option(help="3.3 or 6.9 inches.")] = "column",
    form: Annotated[Literal["pdf", "svg", "png"], typer.Option("--format", help="The kind of file.")] = "pdf",
    out: Annotated[Path | None, typer.Option(help="The file; NAME.FORMAT here unless given.")] = None,
) -> None:
    """Draw one figure of a board for a paper, as wide as a column or a page, with its fonts inside."""
    from bench.report.figures.paper import draw_file
    from bench.results.result_set import read_results

    path = out or Path(f"{name}.{form}")
    draw_file(read_results(folder), name, width, form, path)
    say(f"Figure: {path}")


def site(
    folder: Annotated[Path, typer.Argument(help="A folder of published boards, such as results/.")],
    out: Annotated[Path, typer.Argument(help="Where the site goes.")],
) -> None:
    """Write a site of all boards under a folder: an index of their questions, and every board below it."""
    from bench.report.site import write_site

    count = write_site(folder, out)
    say(f"{count} boards: {out / 'index.html'}")


def _gathered(suite: str, store: Path, *, allow_code: bool) -> tuple[Path, list[str]]:
    """The result set of a suite's shards, written where `heatmark run` would write it; a line for each failure."""
    from bench.suites.read import read_suite

    file = read_suite(suite, allow_code=allow_code)
    from bench.parallel.carry_out import gathered
    from bench.parallel.units import Job
    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.results.result_set import write_results
    from bench.runner.records import Run
    from bench.suites.load import with_plugins

    place = device_of("auto")
    with progress() as bars:
        results = gathered(Job(file, store, place.type), Run(with_plugins(file), Store(store), place, bars))
    folder = store / "results" / file.table.name
    write_results(results, folder)
    return folder, failure_lines(results.manifest["failures"])


def publish(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="Where the published copy goes, such as results/NAME.")],
    store: Folder = Path(".heatmark"),
) -> None:
    """Copy a result set for others to see, with its report, without pictures whose licence forbids it.

    Small networks that its suite trained go with it, so that it can be verified without the training.
    """
    from bench.report.write import write_with_report
    from bench.results.publish import publishable
    from bench.results.result_set import read_results
    from bench.verification.published_weights import weights_kept, write_weights

    if out.resolve() == folder.resolve():
        raise HeatmarkError(f"{out} is the result set itself; expected another folder for its published copy")
    results = publishable(read_results(folder))
    write_with_report(results, out)
    write_weights(weights_kept(results.networks, store / "networks"), out)
    say(f"Published: {out}")


def pictures(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="The folder for the pictures, a PNG file each.")],
) -> None:
    """Write the sample images and heatmaps of a result set as PNG files."""
    from bench.results.pictures import write_pictures
    from bench.results.result_set import read_results

    count = write_pictures(read_results(folder).heatmaps, out)
    say(f"{count} pictures: {out}")


def compare(
    first: Annotated[Path, typer.Argument(help="The result set before.")],
    second: Annotated[Path, typer.Argument(help="The result set after.")],
    table: Annotated[
        Literal["terminal", "csv", "json"], typer.Option(help="What changed to read, or every row for programs.")
    ] = "terminal",
) -> None:
    """Say what changed beyond noise between two result sets; exit status 1 when anything got significantly worse."""
    from bench.report.comparison_table import render, show
    from bench.results.result_set import read_results
    from bench.statistics.comparison import compare as compare_results

    comparison = compare_results(read_results(first), read_results(second))
    if table == "terminal":
        show(comparison, console)
    else:
        write(render(comparison, table))
    raise typer.Exit(1 if comparison.regressed else 0)
