"""A small picture of a board, for lists of boards and for links to it."""

import io
import textwrap

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from bench.report.figures.style import CONTROL, LINE, PALETTE, TEXT, figures
from bench.report.short_names import shortened
from bench.report.view import View

WIDTH, HEIGHT, DPI = 6.0, 3.15, 100
MOST_ROWS = 7


def preview(view: View) -> bytes:
    """A PNG of 600 by 315: the question, the finding, and where the best methods lie."""
    with figures():
        figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
        axes = figure.add_subplot()
        figure.suptitle(textwrap.fill(view.board.question.asks, 62), x=0.02, ha="left", weight="bold", size=12)
        lines = [line for line in view.methods if np.isfinite(line.place)][:MOST_ROWS]
        if view.kind == "recipes" or not lines:
            axes.text(0, 0.9, textwrap.fill(view.verdict.sentence, 60), va="top", size=11, color=TEXT)
            axes.set_axis_off()
        else:
            for row, line in enumerate(lines):
                axes.plot([line.low, line.high], [row, row], color=PALETTE[0], linewidth=5, alpha=0.4)
                axes.plot(line.place, row, "o", color=PALETTE[0], markersize=8)
            for end in (0, 1):
                axes.axvline(end, color=LINE, zorder=0)
            axes.set_yticks(range(len(lines)), shortened([line.name for line in lines], 26), size=11)
            axes.set(ylim=(len(lines) - 0.4, -0.6))
            axes.set_xticks([0, 1], ["random", "truth"] if view.placed else ["0%", "100% won"], size=10, color=CONTROL)
            axes.grid(visible=False)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=DPI, transparent=False)
    small = io.BytesIO()
    Image.open(file).convert("RGB").quantize(64, Image.Quantize.MEDIANCUT).save(small, "PNG", optimize=True)
    return small.getvalue()
