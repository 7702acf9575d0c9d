"""The board as a heat table: methods by metrics, each cell coloured by its place between random and truth."""

from dataclasses import dataclass
from itertools import groupby

import matplotlib as mpl
import numpy as np

from bench.report.tables import number
from bench.report.view import Column, Line, View
from bench.statistics.means import Array
from bench.statistics.paired_tests import ALPHA

STEPS = 11
MINUS = "\N{MINUS SIGN}"
_RAMP = "YlGnBu"
_LIGHTEST, _DARKEST = 0.04, 0.92


@dataclass(frozen=True)
class Cell:
    """What stands in a cell: a text of two digits, its full words, the step of its colour (-1 for grey), marks."""

    text: str
    full: str
    said: str
    step: int
    value: float
    best: bool
    tied: bool
    equal: bool


@dataclass(frozen=True)
class Head:
    """A column of the table: its metric, where it stands, and what is opened there."""

    column: Column
    place: int
    folds: tuple[int, ...]
    mark: str
    counts: str


# What stands under a metric's name, by its verdict in the audit, and what that says.
MARKS = {
    "trust": ("✓ trust", "no control casts doubt on the metric"),
    "care": ("~ with care", "a control does, or two halves of the images disagree"),
    "distrust": ("✗ distrust", "it prefers a map that never saw the network, or hardly scores anything"),
    "untried": ("? untried", "too little to try it on"),
    "no scores": ("— no scores", "it could score nothing"),
    "property": ("· property", "what a map is like, not what it is worth"),
    "cost": ("· cost", "what a map takes"),
}


def heads(view: View) -> list[Head]:
    """The columns in their order."""
    found = []
    for place, column in enumerate(view.columns):
        folds = tuple(other for other, own in enumerate(view.columns) if own.parent == place)
        counts = f"{column.weight:.0%} of the order" if column.weight else "counts nothing in the order"
        found.append(Head(column, place, folds, MARKS[column.verdict][0], counts))
    return found


def families(view: View) -> list[tuple[str, list[int]]]:
    """Families of metrics with the places of their columns."""
    numbered = enumerate(view.columns)
    return [(name, [place for place, _ in own]) for name, own in groupby(numbered, lambda one: one[1].family)]


def table(view: View) -> list[tuple[Line, list[Cell]]]:
    """The rows of the table."""
    return [(line, [_cell(view, line, column) for column in view.columns]) for line in view.lines]


def ramp() -> list[tuple[str, str]]:
    """The colours of the steps from random to truth, each with the colour of text that is readable on it."""
    colours = mpl.colormaps[_RAMP](np.linspace(_LIGHTEST, _DARKEST, STEPS))[:, :3]
    found = []
    for colour in colours:
        bright = luminance(colour) + 0.05
        found.append((mpl.colors.to_hex(colour), "#000" if bright / 0.05 >= 1.05 / bright else "#fff"))
    return found


def luminance(colour: Array) -> float:
    """Relative luminance of a colour (red, green, blue) in [0, 1], as WCAG 2 defines it for contrast."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def _cell(view: View, line: Line, column: Column) -> Cell:
    metric, several = column.metrics[0], len(column.metrics) > 1
    means, place = view.board.means, view.cell(line, column)
    mean, low, high = (float(ends[line.entry, metric]) for ends in (means.mean, means.low, means.high))
    full = "" if several else number(mean, low, high)
    shown = np.isfinite(place) and not column.is_property
    step = int(np.clip(round(place * (STEPS - 1)), 0, STEPS - 1)) if shown else -1
    text = two(place) if shown else "—" if several or np.isnan(mean) else _plain(mean)
    best, tied, equal = (False, False, False) if several or line.control else _marks(view, line, metric)
    where = f"place {place:.2f}" if shown else "no place between random and truth"
    said = f"{line.name}, {column.name}: {full + ', ' if full else ''}{where}"
    marks = {", best": best, ", equal to the best on every image": equal, ", cannot be told from the best": tied}
    said += next((text for text, so in marks.items() if so), "")
    value = mean if np.isnan(place) or column.is_property else place
    return Cell(text, full, said, step, float(value), best, tied and not equal, equal)


def _marks(view: View, line: Line, metric: int) -> tuple[bool, bool, bool]:
    standing = view.board.standings[metric]
    if line.entry not in standing.rows:
        return False, False, False
    place = standing.rows.index(line.entry)
    tied = place > 0 and not standing.adjusted[0, place] < ALPHA
    equal = place > 0 and bool(view.board.pairs[metric].equal[standing.rows[0], line.entry])
    return place == 0, tied, equal


def percent(share: float) -> str:
    """A share as a percentage with one digit after the point; a dash where it is unknown."""
    return "—" if np.isnan(share) else f"{share:.1%}"


def two(place: float) -> str:
    """A place to two decimals: .82, 1.0, 1.19, or .05 below zero."""
    text = f"{abs(place):.2f}".removeprefix("0").replace("1.00", "1.0")
    return f"{MINUS}{text}" if place < 0 and text != ".00" else text


def _plain(mean: float) -> str:
    """A mean in two significant digits, or whole where it is large and no longer than a cell."""
    return f"{mean:,.0f}" if 100 <= abs(mean) < 1e9 else f"{mean:.2g}"
