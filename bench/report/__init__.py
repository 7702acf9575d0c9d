"""Reports of a result set: tables, figures, the page."""

from pathlib import Path

from bench.board import board_of
from bench.report.tables import Format, render, table_of
from bench.store import Results, write_whole

_FILES: dict[str, Format] = {"leaderboard.md": "markdown", "leaderboard.csv": "csv"}


def write_report(results: Results, folder: Path) -> None:
    """Write the leaderboard of a result set into a folder."""
    table = table_of(board_of(results))
    for name, form in _FILES.items():
        write_whole(folder / name, render(table, form).encode())
