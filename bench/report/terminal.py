"""The leaderboard in a terminal: one table that fits 80 columns, and every score on request."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.report.heat_table import MINUS, percent, two
from bench.report.short_names import parted, shortened
from bench.report.tables import TIED, images_come, number
from bench.report.view import Column, Line, View
from bench.report.words import counts_nothing, left_off, networks_and_accuracy, order_said
from bench.statistics.finding import control_of, most_telling, trained_on
from bench.statistics.names import listed
from bench.statistics.paired_tests import ALPHA
from bench.statistics.recipe_effects import Effect

_BAR = 16
_SCORE = 22
_FRAME = 2
_MOST_NAMED = 12
_ALL_SCORES = "`heatmark report FOLDER --full` and the page show all scores."


def show(view: View, console: Console) -> None:
    """Print the finding and one table.

    Rank, method, place as a bar, the mean place under each family of metrics; of recipes what each changes and costs.
    """
    board, verdict = view.board, view.verdict
    console.print(f"[bold]{escape(board.question.asks)}[/]", highlight=False)
    console.print(f"{verdict.badge.text}: {verdict.sentence}", markup=False, highlight=False)
    console.print(verdict.badge.meaning, style="dim", markup=False, highlight=False)
    if view.kind == "recipes":
        console.print(_effects(view), highlight=False)
        said = f"{len(board.images):,} images; differences to {control_of(board)}; 95% intervals over {verdict.over}."
        console.print(said, style="dim")
        _say_others(verdict.effects, console)
    else:
        _show_places(view, console)
    methods = {str(board.entries.attribution[row]) for row in board.methods}
    for row in left_off(board.manifest):
        if row["attribution"] in methods:
            on = f" on {row['network']}" if row["network"] else ""
            console.print(f"{row['what']}{on} left off after {row['images']} of {board.looks[-1]}: {row['why']}.")
    refused = int((images_come(board) - board.means.images).sum())
    if refused:
        console.print(f"{refused} scores were refused; the report says which and why.")


def _show_places(view: View, console: Console) -> None:
    families = _families(view)
    wide = 12 if len(families) < 4 else 7
    room = console.width - (3 + _FRAME + 5 + _FRAME + _BAR + _FRAME) - (wide + _FRAME) * len(families) - 3
    names = shortened([line.name for line in view.lines], max(room, 12))
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("#", justify="right", no_wrap=True)
    table.add_column("method", no_wrap=True)
    table.add_column("place" if view.placed else "wins", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for family in shortened(list(families), wide):
        table.add_column(family, justify="right", no_wrap=True)
    for line, name in zip(view.lines, names, strict=True):
        style = "dim" if line.control else ""
        place = "—" if np.isnan(line.place) else two(line.place)
        cells = [_family_cell(view, line, columns) for columns in families.values()]
        table.add_row(str(line.rank or ""), escape(name), place, _bar(line), *cells, style=style)
    console.print(table, highlight=False)
    scale = "place: random = 0, truth = 1" if view.placed else "wins: share of comparisons won"
    said = [f"{len(view.board.images):,} images", *networks_and_accuracy(view), scale]
    said += [f"95% intervals, in the report, over {view.verdict.over}", "dim: controls"]
    console.print(f"{'; '.join(said)}.", style="dim", markup=False, highlight=False)
    if why := order_said(view):
        console.print(why, style="dim", markup=False, highlight=False)
    _say_metrics(view, families, console)
    _say_alike(view, console)


def _say_metrics(view: View, families: Mapping[str, Sequence[Column]], console: Console) -> None:
    """Where each metric of the board is: under which column, or in no column and why."""
    behind = [f"{family} {listed([own.name for own in columns], _MOST_NAMED)}" for family, columns in families.items()]
    if behind:
        said = f"Columns are means over metrics: {'; '.join(behind)}."
        console.print(said, style="dim", markup=False, highlight=False)
    nothing = counts_nothing(view)
    uncounted = {name for names in nothing.values() for name in names}
    blank = [column.name for column in _judging(view) if not view.can_place(column) and column.name not in uncounted]
    if blank:
        said = f"Counted, but not placed: {listed(blank, _MOST_NAMED)}: {_why_not_placed(view)}."
        console.print(said, markup=False, highlight=False)
    if nothing:
        said = "; ".join(f"{', '.join(names)} ({why})" for why, names in nothing.items())
        console.print(f"Counts nothing in the order: {said}.", markup=False, highlight=False)
    if blank or nothing:
        console.print(_ALL_SCORES, markup=False, highlight=False)


def _why_not_placed(view: View) -> str:
    controls = view.board.entries[view.board.entries.control]
    if controls.floor.any() and not controls.floor.all():
        return "the random map and the best other control cannot be told apart"
    return "a place lies between the random map and another control, and both are not here"


def _say_others(effects: Sequence[Effect], console: Console) -> None:
    """What was measured of recipes and is not in the table."""
    shown = most_telling(effects).metric if effects else ""
    others = list(dict.fromkeys(effect.metric for effect in effects if effect.metric != shown))
    if others:
        console.print(f"Measured too: {', '.join(others)}. {_ALL_SCORES}", markup=False, highlight=False)


def _effects(view: View) -> Table:
    """Recipes by kind: what becomes of what each trains on, of one metric, and of accuracy."""
    board, effects = view.board, view.verdict.effects
    own = {(row["network"], row["recipe"]): f"{row['change']:+.0%}" for row in trained_on(board).to_dict("records")}
    telling = most_telling(effects) if effects else None
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    table.add_column("recipe", no_wrap=True)
    for head in (*(["what it trains on"] if own else []), *([telling.metric] if telling else []), "accuracy, points"):
        table.add_column(escape(head), justify="right", max_width=21)
    above = ("", "")
    for effect in effects:
        if telling is None or effect.code != telling.code or effect.attribution != telling.attribution:
            continue
        kind, settings = parted(effect.recipe)
        if (effect.network, kind) != above:
            above = (effect.network, kind)
            table.add_row(f"[bold]{escape(kind)}[/], {escape(effect.network)}")
        half = (effect.high - effect.low) / 2
        size = f"{effect.effect:+.2g}{f' ± {half:.1g}' if np.isfinite(half) else ''}"
        first = [own.get((effect.network, effect.recipe_code), "")] if own else []
        cells = [*first, size.replace("-", MINUS), f"{100 * effect.price:+.1f}".replace("-", MINUS)]
        table.add_row(f"  {escape(settings or 'as published')}", *cells)
    return table


def _say_alike(view: View, console: Console) -> None:
    first = set(view.methods[0].group.split()) if view.methods else set()
    alike = [line.name for line in view.methods[1:] if first & set(line.group.split())]
    if alike:
        on_others = view.board.level == "networks"
        said = "Could change places with the first on other networks" if on_others else "Cannot be told from the first"
        console.print(f"{said} (Holm): {', '.join(alike)}.", markup=False, highlight=False)


def show_scores(view: View, console: Console) -> None:
    """Print every mean with its interval: as many tables as the width asks for."""
    metrics = view.board.metrics
    name = 4 + max((len(line.name) for line in view.lines), default=0)
    fitting = max((console.width - name) // _SCORE, 1)
    singles = [column for column in view.columns if len(column.metrics) == 1]
    for start in range(0, max(len(singles), 1), fitting):
        shown = singles[start : start + fitting]
        table = Table(box=None, pad_edge=False, padding=(0, 1))
        table.add_column("method")
        for column in shown:
            unit = str(metrics.loc[column.metrics[0]].get("unit", ""))
            table.add_column(f"{escape(column.name)} {column.arrow}{f' {unit}' if unit else ''}", justify="right")
        for line in view.lines:
            cells = [_score(view, line, column.metrics[0]) for column in shown]
            table.add_row(escape(line.name), *cells, style="dim" if line.control else "")
        console.print(table, "", highlight=False)
    console.print(f"In brackets 95% intervals; {TIED} cannot be told from the best under the metric.", style="dim")


def show_networks(networks: pd.DataFrame, console: Console) -> None:
    """Print what each network gets right, the mean over its seeds: a recipe may win by destroying accuracy."""
    table = Table("network", "recipe", title="networks", title_justify="left")
    for name in ("seeds", "accuracy", "under attack"):
        table.add_column(name, justify="right")
    for (network, recipe), own in networks.groupby(["network", "recipe"], sort=False, observed=True):
        shares = [percent(own[column].mean()) for column in ("accuracy", "robust_accuracy")]
        table.add_row(escape(str(network)), escape(str(recipe)), str(len(own)), *shares)
    console.print(table)


def _judging(view: View) -> list[Column]:
    """The columns that judge, folded protocols by their parent alone."""
    return [column for column in view.columns if not column.is_property and column.parent is None]


def _families(view: View) -> dict[str, list[Column]]:
    """The columns under which methods are placed, by family."""
    found: dict[str, list[Column]] = {}
    for column in _judging(view):
        if view.can_place(column):
            found.setdefault(column.family, []).append(column)
    return found


def _family_cell(view: View, line: Line, columns: list[Column]) -> str:
    places = [view.cell(line, column) for column in columns]
    known = [place for place in places if np.isfinite(place)]
    return two(float(np.mean(known))) if known else "—"


def _bar(line: Line) -> str:
    """The place as a bar from 0 to 1."""
    if np.isnan(line.place):
        return ""
    full = min(max(line.place, 0), 1) * _BAR
    eighths = round((full - int(full)) * 8)
    return "█" * int(full) + " ▏▎▍▌▋▊▉█"[eighths].strip()


def _score(view: View, line: Line, metric: int) -> str:
    means, standing = view.board.means, view.board.standings[metric]
    ends = means.mean[line.entry, metric], means.low[line.entry, metric], means.high[line.entry, metric]
    text = escape(number(*map(float, ends)).replace("-", MINUS))
    if line.entry not in standing.rows:
        return text
    place = standing.rows.index(line.entry)
    tied = place > 0 and not standing.adjusted[0, place] < ALPHA
    return f"[bold]{text}[/]" if place == 0 else f"{text} {TIED}" if tied else text
