"""`heatmark report`, `publish`, `pictures` and `compare`: commands that read result sets."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from bench.cli.console import console
from bench.cli.options import Names, names_of, weights_of
from bench.errors import HeatmarkError


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
    chosen_weights = weights_of(weights)
    if table is None and (metrics or entries):
        raise HeatmarkError("--metrics and --entries choose what a table shows; expected --table with them")
    from bench.results.result_set import read_results

    results = read_results(folder)
    if table is None:
        from bench.report.write import write_report

        write_report(results, folder, chosen_weights)
        console.print(f"Report: {folder}", soft_wrap=True)
        return
    from bench.leaderboard.build import board_of
    from bench.leaderboard.metric_audit import audited

    board = audited(board_of(results, chosen_weights)).select(names_of(metrics), names_of(entries))
    if table == "terminal":
        from bench.report.terminal import show as show_board
        from bench.report.terminal import show_networks

        show_board(board, console)
        show_networks(results.networks, console)
    else:
        from bench.report.tables import render, table_of

        sys.stdout.write(render(table_of(board), table))


def publish(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="Where the published copy goes, such as results/NAME.")],
) -> None:
    """Copy a result set for others to see, with its report, without pictures whose licence forbids it."""
    from bench.report.write import write_with_report
    from bench.results.publish import publishable
    from bench.results.result_set import read_results

    if out.resolve() == folder.resolve():
        raise HeatmarkError(f"{out} is the result set itself; expected another folder for its published copy")
    results = publishable(read_results(folder))
    write_with_report(results, out)
    console.print(f"Published: {out}", soft_wrap=True)


def pictures(
    folder: Annotated[Path, typer.Argument(help="A result set, as `heatmark run` leaves it.")],
    out: Annotated[Path, typer.Argument(help="The folder for the pictures, a PNG file each.")],
) -> None:
    """Write the sample images and heatmaps of a result set as PNG files."""
    from bench.results.pictures import write_pictures
    from bench.results.result_set import read_results

    count = write_pictures(read_results(folder).heatmaps, out)
    console.print(f"{count} pictures: {out}", soft_wrap=True)


def compare(
    first: Annotated[Path, typer.Argument(help="The result set before.")],
    second: Annotated[Path, typer.Argument(help="The result set after.")],
    table: Annotated[
        Literal["terminal", "csv", "json"], typer.Option(help="What changed to read, or every row for programs.")
    ] = "terminal",
) -> None:
    """Say what changed beyond noise between two result sets; exit status 1 when anything got surely worse."""
    from bench.leaderboard.comparison import compare as compare_results
    from bench.report.comparison_table import render, show
    from bench.results.result_set import read_results

    comparison = compare_results(read_results(first), read_results(second))
    if table == "terminal":
        show(comparison, console)
    else:
        sys.stdout.write(render(comparison, table))
    raise typer.Exit(1 if comparison.regressed else 0)
