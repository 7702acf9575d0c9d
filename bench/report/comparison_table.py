"""What changed between two result sets, for people and programs."""

import json
from typing import Literal

import pandas as pd
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.report.tables import csv_of, plain_rows
from bench.statistics.board import ENTRY
from bench.statistics.comparison import Comparison
from bench.statistics.names import listed
from bench.statistics.place_stability import chance

_COLOUR = {"worse": "red", "refused": "red", "better": "green"}


def show(comparison: Comparison, console: Console) -> None:
    """Print the rows that changed, how many did not, what is gone and what is new."""
    rows = comparison.table
    changed = rows[rows.verdict.isin(list(_COLOUR))]
    if len(changed):
        console.print(_table(changed.sort_values("verdict", ascending=False, kind="stable")))
    counts = rows.verdict.value_counts().to_dict()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    console.print(f"{len(rows)} means compared: {said} (paired tests, Holm over all of them).")
    partly = rows[rows.verdict.ne("refused") & rows.refused.gt(0)]
    if len(partly):
        console.print(
            f"{partly.refused.sum()} scores of {len(partly)} of these means are refused in the second set; the images "
            "of those count in neither."
        )
    for count, which in ((comparison.left, "first"), (comparison.new, "second")):
        if count:
            console.print(f"{count} images are in the {which} set alone and count in nothing here.")
    for what, names in (("Gone", comparison.missing), ("New", comparison.added)):
        if names:
            console.print(f"{what}: {listed(names)}.", markup=False, highlight=False)
    worse = bool(rows.verdict.isin(["worse", "refused"]).any())
    gone = " What is gone counts as worse." if comparison.missing else ""
    console.print(f"{'Something' if worse else 'Nothing'} got significantly worse.{gone}")


def render(comparison: Comparison, form: Literal["csv", "json"]) -> str:
    """Every row of the comparison; JSON also says what is gone, what is new and whether anything got worse."""
    if form == "csv":
        return csv_of(comparison.table)
    said = {"regressed": comparison.regressed, "missing": comparison.missing, "added": comparison.added}
    said |= {"images_only_in_first": comparison.left, "images_only_in_second": comparison.new}
    return json.dumps({**said, "table": plain_rows(comparison.table)}, indent=2, ensure_ascii=False) + "\n"


def _table(rows: pd.DataFrame) -> Table:
    table = Table()
    for head in ("entry", "metric"):
        table.add_column(head)
    for head in ("first", "second", "change", "p", "images"):
        table.add_column(head, justify="right")
    table.add_column("")
    for row in rows.to_dict("records"):
        entry, verdict = " / ".join(row[name] for name in ENTRY), row["verdict"]
        if verdict == "refused":
            numbers = ["", "", "", "", str(row["refused"])]
        else:
            change = f"{row['change']:+.3g} [dim]±{1.96 * row['error']:.2g}[/]"
            numbers = [f"{row['first']:.4g}", f"{row['second']:.4g}", change, chance(row["p"]), str(row["images"])]
        table.add_row(escape(entry), escape(row["metric"]), *numbers, f"[{_COLOUR[verdict]}]{verdict}[/]")
    return table
