"""A leaderboard as one table on standard output."""

from typing import Literal

from bench.cli.console import console, write
from bench.report.view import View
from bench.results.result_set import Results

Kind = Literal["terminal", "markdown", "latex", "csv", "json"]


def print_board(results: Results, view: View, kind: Kind, *, short: bool, full: bool) -> None:
    """Print what a view of a result set shows for the terminal, as LaTeX, or as Markdown, CSV or JSON.

    `short`: LaTeX without intervals; `full`: in the terminal every score with its interval, and the networks.
    """
    if kind == "terminal":
        from bench.report.terminal import show, show_networks, show_scores

        show(view, console)
        if full:
            show_scores(view, console)
            show_networks(results.networks, console)
    elif kind == "latex":
        from bench.report.paper_tables import latex

        write(latex(view, short=short))
    else:
        from bench.report.tables import render, table_of

        write(render(table_of(view.board), kind))
