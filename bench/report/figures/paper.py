"""Figures for papers: exactly as wide as a column or a page, as PDF, SVG or PNG, with the fonts inside."""

import io
from pathlib import Path
from typing import Literal

import matplotlib as mpl

from bench.errors import HeatmarkError, nearest
from bench.files import write_whole
from bench.report.figures.drawings import Drawing, drawings
from bench.report.figures.style import COLUMN, PAGE, figures
from bench.report.view import view_of
from bench.results.result_set import Results

Width = Literal["column", "page"]
Form = Literal["pdf", "svg", "png"]
WIDTHS: dict[Width, float] = {"column": COLUMN, "page": PAGE}
_DPI = 300


def draw_file(results: Results, name: str, width: Width, form: Form, path: Path) -> None:
    """Write one figure of a result set to a file; HeatmarkError names the nearest where none is called so."""
    known = {drawing.name: drawing for drawing in drawings(results, view_of(results))}
    if name not in known:
        raise HeatmarkError(f"no figure named {name!r} of this result set; {nearest(name, list(known))}")
    save(known[name], width, form, path)


def save(drawing: Drawing, width: Width, form: Form, path: Path) -> None:
    """Write a drawing to a file."""
    with figures():
        # Letters as outlines in SVG, so that no reader lacks the font; TrueType inside PDF.
        mpl.rcParams.update({"svg.fonttype": "path", "pdf.fonttype": 42})
        figure = drawing.draw(WIDTHS[width])
        file = io.BytesIO()
        dates = {"pdf": {"CreationDate": None}, "svg": {"Date": None}, "png": {}}[form]
        figure.savefig(file, format=form, dpi=_DPI, metadata=dates, transparent=False)
    write_whole(path, file.getvalue())
