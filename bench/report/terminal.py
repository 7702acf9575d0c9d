"""The leaderboard in a terminal."""

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.leaderboard.board import Board
from bench.leaderboard.metric_audit import findings
from bench.leaderboard.paired_tests import ALPHA
from bench.report.tables import ARROW, TIED
from bench.report.words import answer

_WIDTH = 18


def show(board: Board, console: Console) -> None:
    """Print what the board says and the leaderboard: best entry first, half an interval behind each mean."""
    name = 4 + max((len(label) for label in board.entries.label), default=0)
    fitting = max((console.width - name - _WIDTH) // _WIDTH, 1)
    for start in range(0, max(len(board.metrics), 1), fitting):
        console.print(_table(board, range(start, min(start + fitting, len(board.metrics)))))
    console.print(
        f"{len(board.images)} images; ± half a 95% interval; {TIED} cannot be told from the best.", style="dim"
    )
    for sentence in answer(board, findings(board)).sentences:
        console.print(sentence, markup=False, highlight=False)
    refused = int((len(board.images) - board.means.images).sum())
    if refused:
        console.print(f"{refused} scores were refused; the report says which and why.")


def show_networks(networks: pd.DataFrame, console: Console) -> None:
    """Print what each network gets right, the mean over its seeds: a recipe may win by destroying accuracy."""
    table = Table("network", "recipe", title="networks", title_justify="left")
    for name in ("seeds", "accuracy", "under attack"):
        table.add_column(name, justify="right")
    for (network, recipe), own in networks.groupby(["network", "recipe"], sort=False, observed=True):
        shares = [f"{own[column].mean():.1%}" for column in ("accuracy", "robust_accuracy")]
        table.add_row(escape(str(network)), escape(str(recipe)), str(len(own)), *shares)
    console.print(table)


def _table(board: Board, metrics: range) -> Table:
    table = Table(title=escape(str(board.manifest.get("suite", ""))), title_justify="left")
    table.add_column("", justify="right")
    table.add_column("entry")
    table.add_column("wins ↑", justify="right")
    for metric in metrics:
        table.add_column(
            f"{escape(board.metrics.label[metric])} {ARROW[board.metrics.direction[metric]]}", justify="right"
        )
    for place, entry in enumerate(board.order, 1):
        control = bool(board.entries.control[entry])
        if control and place > 1 and not board.entries.control[board.order[place - 2]]:
            table.add_section()
        cells = [_cell(board, entry, metric) for metric in (None, *metrics)]
        name = escape(board.entries.label[entry])
        table.add_row("" if control else str(place), f"[dim]{name}[/]" if control else name, *cells)
    return table


def _cell(board: Board, entry: int, metric: int | None) -> str:
    means, at = (board.overall_means, entry) if metric is None else (board.means, (entry, metric))
    standing = board.overall if metric is None else board.standings[metric]
    mean, half = means.mean[at], (means.high[at] - means.low[at]) / 2
    if mean != mean:
        return "—"
    text = f"{mean:.3f}" + (f" [dim]±{half:.3f}[/]" if half == half else "")
    if entry not in standing.rows:
        return text
    place = standing.rows.index(entry)
    tied = place > 0 and not standing.adjusted[0, place] < ALPHA
    return f"[bold]{text}[/]" if place == 0 else f"{text} {TIED}" if tied else text
