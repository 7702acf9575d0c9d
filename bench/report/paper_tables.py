"""Leaderboards for papers: LaTeX with siunitx and booktabs that fits a page of two columns."""

import re
from dataclasses import dataclass

import numpy as np

from bench.report.short_names import shortened
from bench.report.view import Column, Line, View
from bench.statistics.means import Array
from bench.statistics.paired_tests import ALPHA

ROOM = 100  # characters in small print across a page of 6.9 inches
_SMALLER = 0.8  # an interval's characters beside others
_GAP = 2.5
_SMALL, _LARGE = -6, 9  # powers of ten between which numbers are written out
PACKAGES = (
    r"% \usepackage{booktabs, siunitx}  % and \sisetup{text-series-to-math=true, reset-text-series=false} for bold"
)
_SIGNS = {sign: f"\\{sign}" for sign in "&%$#_{}"}
_SIGNS |= {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "|": r"\textbar{}"}
_SIGNS |= {"<": r"\textless{}", ">": r"\textgreater{}", "\u2191": r"$\uparrow$", "\u2193": r"$\downarrow$"}
_SIGNS |= {"\u2026": r"\dots{}", "\N{MULTIPLICATION SIGN}": r"$\times$", "\N{MINUS SIGN}": "$-$", "\n": " "}
_SIGNS |= {"≈": r"$\approx$", "—": "---"}
ESCAPES = str.maketrans(_SIGNS)


@dataclass(frozen=True)
class _Cell:
    text: str
    interval: str
    best: bool
    tied: bool


def latex(view: View, *, short: bool = False) -> str:
    """Tables in LaTeX, as many as the columns need, each with caption and label; `short` leaves the intervals out."""
    columns = [column for column in view.columns if len(column.metrics) == 1]
    cells = {column: [_cell(view, line, column) for line in view.lines] for column in columns}
    names = shortened([column.name for column in columns], 20)
    heads = {column: f"{name} {column.arrow}" for column, name in zip(columns, names, strict=True)}
    blocks: list[list[Column]] = [[]]
    room: float = ROOM - max((len(_named(line)) for line in view.lines), default=0) - 6
    left = room
    for column in columns:
        width = _width(cells[column], heads[column], short=short)
        if width > left and blocks[-1]:
            blocks.append([])
            left = room
        blocks[-1].append(column)
        left -= width
    parts = [
        _table(view, {heads[column]: cells[column] for column in block}, (number, len(blocks)), short=short)
        for number, block in enumerate(blocks, 1)
    ]
    return f"{PACKAGES}\n" + "\n".join(parts)


def _named(line: Line) -> str:
    return shortened([line.name], 30)[0] + (" (control)" if line.control else "")


def _width(cells: list[_Cell], head: str, *, short: bool) -> float:
    """How many characters a column takes."""
    own = max(len(cell.text) + 2 + (0 if short else _SMALLER * len(cell.interval.strip("$"))) for cell in cells)
    return max(own, len(head)) + _GAP


def _table(view: View, cells: dict[str, list[_Cell]], part: tuple[int, int], *, short: bool) -> str:
    each = "" if short else "@{\\,}l"
    width = 1 if short else 2
    formats = [_format([cell.text for cell in own]) for own in cells.values()]
    heads = [rf"\multicolumn{{{width}}}{{c}}{{{head.translate(ESCAPES)}}}" for head in cells]
    lines = [
        r"\begin{table*}",
        r"\centering\footnotesize\setlength{\tabcolsep}{3.5pt}",
        rf"\caption{{{_caption(view, part, short=short)}}}",
        rf"\label{{tab:{_label(view, part)}}}",
        r"\begin{tabular}{@{}l S[table-format=-1.2]" + "".join(f" S[{own}]{each}" for own in formats) + r"@{}}",
        r"\toprule",
        _line(["Method", "{Place}", *heads]),
        r"\midrule",
    ]
    for row, line in enumerate(view.lines):
        if line.control and row and not view.lines[row - 1].control:
            lines.append(r"\midrule")
        name = shortened([line.name], 30)[0].translate(ESCAPES)
        place = "{---}" if np.isnan(line.place) else f"{line.place:.2f}"
        texts = [text for own in cells.values() for text in _written(own[row], short=short)]
        lines.append(_line([rf"\textit{{{name}}} (control)" if line.control else name, place, *texts]))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}"]) + "\n"


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(view: View, line: Line, column: Column) -> _Cell:
    metric = column.metrics[0]
    means, standing = view.board.means, view.board.standings[metric]
    mean, low, high = (float(ends[line.entry, metric]) for ends in (means.mean, means.low, means.high))
    if np.isnan(mean):
        return _Cell("", "", best=False, tied=False)
    digits = _digits(means.mean[:, metric])
    ends = [_number(end, digits) if digits is not None else rf"\num{{{_number(end, digits)}}}" for end in (low, high)]
    interval = "" if np.isnan(low) else f"$[{', '.join(ends)}]$"
    place = standing.rows.index(line.entry) if line.entry in standing.rows else None
    tied = bool(place) and not standing.adjusted[0, place] < ALPHA
    return _Cell(_number(mean, digits), interval, place == 0, tied)


def _digits(values: Array) -> int | None:
    """How many decimals a column has: three, fewer where numbers are large, more where all are small.

    None where these would be too many, or large numbers beside small ones would leave nothing of these: powers of ten.
    """
    sizes = np.abs(values[np.isfinite(values) & (values != 0)])
    if not len(sizes):
        return 3
    size = int(np.floor(np.log10(sizes.max())))
    digits = max(3 - size, 0) if size >= 0 else 3 if size > -3 else 2 - size
    return None if not _SMALL <= size < _LARGE or (size > 0 and sizes.min() < 10.0**-digits) else digits


def _number(value: float, digits: int | None) -> str:
    if digits is not None:
        return f"{value:.{digits}f}"
    mantissa, _, power = f"{value:.2e}".partition("e")
    return f"{mantissa}e{int(power)}"


def _written(cell: _Cell, *, short: bool) -> list[str]:
    if not cell.text:
        return ["{---}"] if short else ["{---}", ""]
    text = rf"\bfseries {cell.text}" if cell.best else cell.text
    text += r" {$^{\approx}$}" if cell.tied else ""
    return [text] if short else [text, rf"{{\scriptsize {cell.interval}}}"]


def _format(texts: list[str]) -> str:
    known = [text for text in texts if text] or ["0.0"]
    whole = max(len(text.partition(".")[0].lstrip("-")) for text in known)
    digits = max(len(text.partition(".")[2].partition("e")[0]) for text in known)
    sign = "-" if any(text.startswith("-") for text in known) else ""
    powers = [text.partition("e")[2] for text in known if "e" in text]
    power = f"e-{max(len(own.lstrip('-')) for own in powers)}" if powers else ""
    return f"table-format={sign}{whole}.{digits}{power}, table-space-text-post={{$^{{\\approx}}$}}"


def _caption(view: View, part: tuple[int, int], *, short: bool) -> str:
    scale = "place between random (0) and truth (1)" if view.placed else "share of comparisons won"
    number, of = part
    what = f"means over {len(view.board.images):,} images{'' if short else ' with 95% intervals'}"
    said = [
        f"{view.board.question.asks} Place: {scale} over the metrics that count; then {what}.",
        "Bold: best; ≈: cannot be told from the best (paired tests, Holm). Controls compete with nobody.",
        *([f"Part {number} of {of}."] if of > 1 else []),
    ]
    return " ".join(said).translate(ESCAPES)


def _label(view: View, part: tuple[int, int]) -> str:
    name = re.sub(r"[^a-zA-Z0-9]+", "-", str(view.board.manifest.get("suite", "board"))).strip("-").lower() or "board"
    return name if part[1] == 1 else f"{name}-{part[0]}"
