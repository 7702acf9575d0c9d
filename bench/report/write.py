"""The report of a result set as files: tables, figures, a preview, and a page that holds everything."""

from collections.abc import Mapping
from pathlib import Path

from bench.files import write_whole
from bench.report.figures.drawings import drawings
from bench.report.figures.training import training_log
from bench.report.page import page, shown
from bench.report.paper_tables import latex
from bench.report.preview import preview
from bench.report.recipe_tables import render_recipes
from bench.report.tables import Format, csv_of, render, table_of
from bench.report.view import view_of
from bench.results.commit import commit
from bench.results.result_set import Results, write_results
from bench.statistics.recipe_effects import compares_recipes, recipe_table

_TABLES: dict[str, Format] = {
    "leaderboard.md": "markdown",
    "leaderboard.csv": "csv",
    "leaderboard.json": "json",
}


# What only some reports have: that of an earlier one goes.
SOMETIMES = ("training.csv", "recipes.csv", "recipes.md")


def write_report(results: Results, folder: Path, weights: Mapping[str, float] | None = None) -> None:
    """Write the report of a result set into a folder: tables, figures one by one, a preview picture, `index.html`.

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
    view = view_of(results, weights)
    table = table_of(view.board)
    for name, form in _TABLES.items():
        write_whole(folder / name, render(table, form).encode())
    write_whole(folder / "leaderboard.tex", latex(view).encode())
    log = training_log(results)
    if len(log):
        write_whole(folder / "training.csv", csv_of(log).encode())
    if compares_recipes(results):
        effects = recipe_table(results)
        write_whole(folder / "recipes.csv", csv_of(effects).encode())
        write_whole(folder / "recipes.md", render_recipes(effects, results.manifest).encode())
    on_page = []
    for drawing in drawings(results, view):
        if not drawing.section:  # samples, which the page shows by itself
            continue
        on_page.append(shown(drawing))
        write_whole(folder / "figures" / f"{drawing.name}.svg", on_page[-1].file.encode())
    write_whole(folder / "preview.png", preview(view))
    write_whole(folder / "index.html", page(results, view, on_page).encode())
