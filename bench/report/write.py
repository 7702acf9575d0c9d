"""Write the report of a result set: tables, figures, and a page that holds everything."""

from collections.abc import Mapping
from pathlib import Path

from bench.files import write_whole
from bench.leaderboard.build import board_of
from bench.leaderboard.metric_audit import audited
from bench.leaderboard.recipe_effects import compares_recipes, recipe_table
from bench.report.figures import draw
from bench.report.page import page
from bench.report.recipe_figure import draw_recipes
from bench.report.recipe_tables import render_recipes
from bench.report.sheet import sheet
from bench.report.style import figures, inlined, svg
from bench.report.tables import Format, render, table_of
from bench.report.training import training_log
from bench.results.commit import commit
from bench.results.result_set import Results, write_results

_TABLES: dict[str, Format] = {
    "leaderboard.md": "markdown",
    "leaderboard.csv": "csv",
    "leaderboard.json": "json",
    "leaderboard.tex": "latex",
}


# What only some reports have: that of an earlier one goes.
SOMETIMES = ("training.csv", "recipes.csv", "recipes.md")


def write_report(results: Results, folder: Path, weights: Mapping[str, float] | None = None) -> None:
    """Write the report of a result set into a folder: tables, figures one by one, all samples on a sheet, `index.html`.

    `weights` of metrics by label decide the order over all metrics. The same results give the same bytes. All of it
    takes the place of an earlier report at once.
    """
    with commit(folder, SOMETIMES) as staged:
        _write(results, staged, weights)


def write_with_report(results: Results, folder: Path) -> None:
    """Write a result set and its report into a folder, in the place of those that were there, at once."""
    with commit(folder, SOMETIMES) as staged:
        write_results(results, staged)
        _write(results, staged, None)


def _write(results: Results, folder: Path, weights: Mapping[str, float] | None) -> None:
    board = audited(board_of(results, weights))
    table = table_of(board)
    for name, form in _TABLES.items():
        write_whole(folder / name, render(table, form).encode())
    log = training_log(results)
    if len(log):
        write_whole(folder / "training.csv", log.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    drawings = []
    for name, caption, figure in draw(results, board):
        drawing = svg(figure)
        write_whole(folder / "figures" / f"{name}.svg", drawing.encode())
        drawings.append((name, caption, inlined(drawing)))
    if compares_recipes(results):
        drawings += _write_recipes(results, folder)
    samples = sheet(results.heatmaps)
    if samples is not None:
        write_whole(folder / "figures" / "gallery.png", samples)
    write_whole(folder / "index.html", page(results, board, drawings).encode())


def _write_recipes(results: Results, folder: Path) -> list[tuple[str, str, str]]:
    """Tables and figures of what recipes change; the figures as `page` takes them."""
    table = recipe_table(results)
    write_whole(folder / "recipes.csv", table.to_csv(index=False, float_format="%.6g", lineterminator="\n").encode())
    write_whole(folder / "recipes.md", render_recipes(table, results.manifest).encode())
    drawings = []
    # One figure a network: of the first attribution, which is what the suite is about.
    shown = table[["network", "attribution"]][table.attribution.ne("")].drop_duplicates("network")
    for number, (network, attribution) in enumerate(shown.itertuples(index=False), 1):
        with figures():
            drawing = svg(draw_recipes(table, results.manifest, network, attribution))
        name = f"recipes_{number}"
        write_whole(folder / "figures" / f"{name}.svg", drawing.encode())
        caption = f"{network}, {attribution}: every recipe beside the first, with 95% intervals and the seeds."
        drawings.append((name, caption, inlined(drawing)))
    return drawings
