"""The leaderboard in a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.board import board_of
from bench.report.tables import ARROW
from bench.store import Results


def show(results: Results, console: Console) -> None:
    """Print the leaderboard: best entry first, half an interval behind each mean, controls below."""
    board = board_of(results)
    means = board.means
    table = Table(title=f"{board.manifest.get('suite', '')}: {len(board.images)} images", title_justify="left")
    table.add_column("", justify="right")
    table.add_column("entry")
    for label, way in zip(board.metrics.label, board.metrics.direction, strict=True):
        table.add_column(f"{escape(label)} {ARROW[way]}", justify="right")
    controls = False
    for place, entry in enumerate(board.order, 1):
        control = bool(board.entries.control[entry])
        if control and not controls:
            table.add_section()
            controls = True
        cells = []
        for metric in range(len(board.metrics)):
            half = (means.high[entry, metric] - means.low[entry, metric]) / 2
            best = board.ranks[entry, metric] == 1
            cells.append(_cell(means.mean[entry, metric], half, best=best))
        name = escape(board.entries.label[entry])
        table.add_row("" if control else str(place), f"[dim]{name}[/]" if control else name, *cells)
    console.print(table)
    refused = int((board.scores.shape[3] - means.images).sum())
    if refused:
        console.print(f"{refused} scores were refused; the report says which and why.")


def _cell(mean: float, half: float, *, best: bool) -> str:
    if mean != mean:
        return "—"
    text = f"{mean:.3f}" + (f" [dim]±{half:.3f}[/]" if half == half else "")
    return f"[bold]{text}[/]" if best else text
