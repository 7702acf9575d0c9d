"""How figures look: calm, readable for the colour-blind, as wide as a column or a page, the same bytes every time."""

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

TEXT = "#1b1f27"
LINE = "#c9ced8"
CONTROL = "#667085"
PALETTE = sns.color_palette("colorblind", 8).as_hex()
COLUMN, PAGE = 3.3, 6.9  # inches: what a column, and a page, of a two-column paper hold
DASHES = ("-", "--", "-.", ":")
SOLID = 4  # the next four differ in their dashes too
NAMED = {COLUMN: 24, PAGE: 48}  # characters of a name beside a figure

_SETTINGS: Any = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 8.5,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 8,
    "pdf.fonttype": 42,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "heatmark",
    "text.color": TEXT,
    "text.parse_math": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


@contextmanager
def figures() -> Iterator[None]:
    """Draw inside with these settings, whatever the caller's are."""
    with mpl.rc_context(), sns.axes_style("whitegrid", _SETTINGS), sns.plotting_context("paper", 0.9):
        mpl.rcParams.update(_SETTINGS)
        yield


def svg(figure: Figure) -> str:
    """A figure as SVG without date, its paths to a hundredth of a point, without the names of groups nobody needs."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    drawing = re.sub(r' d="[^"]*"', lambda path: re.sub(r"-?\d+\.\d{3,}", _rounded, path[0]), file.getvalue())
    return re.sub(r'<g id="[^"]*">', "<g>", re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL))


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def inlined(drawing: str, name: str, said: str) -> str:
    """An SVG for inside a page: no prologue, its colours those of the page's theme, ids of its own, a text for ears."""
    drawing = drawing[drawing.index("<svg") :]
    width = round(float(re.findall(r'width="([\d.]+)pt"', drawing)[0]) * 4 / 3)
    drawing = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", drawing, count=1)
    drawing = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", drawing)
    head = f'<svg role="img" aria-label="{escape(said)}" style="width:{width}px"'
    drawing = drawing.replace("<svg", head, 1)
    drawing = drawing.replace(TEXT, "var(--text)").replace(LINE, "var(--line)").replace(CONTROL, "var(--muted)")
    return re.sub(r"\n\s*", "\n", drawing)


def colours(names: list[str], controls: list[bool]) -> dict[str, tuple[str, str]]:
    """A colour and a dash for each name, all different as long as they may be; controls grey."""
    looks, grey, bright = {}, 0, 0
    for name, control in zip(names, controls, strict=True):
        if control:
            looks[name] = (CONTROL, DASHES[1 + grey % (len(DASHES) - 1)])
            grey += 1
        else:
            looks[name] = (PALETTE[bright % len(PALETTE)], DASHES[bright // SOLID % len(DASHES)])
            bright += 1
    return looks


def apart(wanted: Sequence[float], least: float) -> list[float]:
    """Places as near as may be to those wanted, `least` apart and in the same order: for labels beside lines."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    blocks: list[tuple[float, int]] = []  # the sum of where its labels' middle would be, and how many
    for place in order:
        total, count = wanted[place], 1
        while blocks and blocks[-1][0] / blocks[-1][1] + least * (blocks[-1][1] + count) / 2 > total / count:
            before, many = blocks.pop()
            total, count = total + before, count + many
        blocks.append((total, count))
    found = [0.0] * len(wanted)
    labels = iter(order)
    for total, count in blocks:
        for place in range(count):
            found[next(labels)] = total / count + least * (place - (count - 1) / 2)
    return found


def file_name(label: str) -> str:
    """A label as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_")[:60] or "metric"
