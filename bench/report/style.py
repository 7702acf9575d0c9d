"""How figures look: calm, readable for the colour-blind, the same bytes every time."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import seaborn as sns
from matplotlib.figure import Figure

TEXT = "#1b1f27"
LINE = "#c9ced8"
CONTROL = "#8a92a3"
GREYS = (CONTROL, "#6b7382", "#aeb5c2")
PALETTE = sns.color_palette("colorblind", 8).as_hex()
LEAST = 320
SHRINKING = 0.75
DASHES = ("-", "--", "-.", ":")
SOLID = 4  # the next four differ in their dashes too
LONGEST = 52

_SETTINGS: Any = {
    "axes.edgecolor": LINE,
    "axes.labelcolor": TEXT,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.constrained_layout.use": True,
    "font.family": "sans-serif",
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
    with mpl.rc_context(), sns.axes_style("whitegrid", _SETTINGS), sns.plotting_context("paper", 1.1):
        mpl.rcParams.update(_SETTINGS)
        yield


def svg(figure: Figure) -> str:
    """A figure as SVG without date, its paths to a hundredth of a point."""
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"-?\d+\.\d{3,}", _rounded, path[0]), file.getvalue())


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")


def inlined(drawing: str) -> str:
    """An SVG for inside a page: no prologue, text and lines in the colours of the page's theme."""
    drawing = drawing[drawing.index("<svg") :]
    width = round(float(re.findall(r'width="([\d.]+)pt"', drawing)[0]) * 4 / 3)
    drawing = re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", drawing, count=1)
    least = min(width, max(LEAST, round(SHRINKING * width)))
    drawing = drawing.replace("<svg", f'<svg style="width:{width}px;min-width:{least}px"', 1)
    return drawing.replace(TEXT, "currentColor").replace(LINE, "var(--line)")


def colours(names: list[str], controls: list[bool]) -> dict[str, tuple[str, str]]:
    """A colour and a dash for each name, all different as long as they may be; controls grey."""
    looks, grey, bright = {}, 0, 0
    for name, control in zip(names, controls, strict=True):
        if control:
            looks[name] = (GREYS[grey // len(DASHES) % len(GREYS)], DASHES[grey % len(DASHES)])
            grey += 1
        else:
            looks[name] = (PALETTE[bright % len(PALETTE)], DASHES[bright // SOLID % len(DASHES)])
            bright += 1
    return looks


def elided(label: str) -> str:
    """A label that leaves room for the figure."""
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 16]}…{label[-15:]}"


def file_name(label: str) -> str:
    """A label as part of a file name."""
    return re.sub(r"[^A-Za-z0-9]+", "_", label).strip("_")[:60] or "metric"
