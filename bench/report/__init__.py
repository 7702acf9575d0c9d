"""Reports of a result set: tables, figures, and a page that holds everything."""

from collections.abc import Mapping
from pathlib import Path

from bench.board import board_of
from bench.report.figures import draw
from bench.report.page import page
from bench.report.style import inlined, svg
from bench.report.tables import Format, render, table_of
from bench.store import Results, write_whole

_TABLES: dict[str, Format] = {
    "leaderboard.md": "markdown",
    "leaderboard.csv": "csv",
    "leaderboard.json": "json",
    "leaderboard.tex": "latex",
}


def write_report(results: Results, folder: Path, weights: Mapping[str, float] | None = None) -> None:
    """Write the report of a result set into a folder: tables, figures one by one, and `index.html`.

    `weights` of metrics by label decide the order over all metrics. The same results give the same bytes.
    """
    board = board_of(results, weights)
    table = table_of(board)
    for name, form in _TABLES.items():
        write_whole(folder / name, render(table, form).encode())
    drawings = []
    for name, caption, figure in draw(results, board):
        drawing = svg(figure)
        write_whole(folder / "figures" / f"{name}.svg", drawing.encode())
        drawings.append((name, caption, inlined(drawing)))
    write_whole(folder / "index.html", page(results, board, drawings).encode())
