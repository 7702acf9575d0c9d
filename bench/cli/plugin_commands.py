"""`heatmark list` and `check`: commands about plug-ins."""

from typing import Annotated, Literal

import typer
from rich.table import Table

from bench.cli.console import console
from bench.errors import HeatmarkError


def list_plugins(
    kind: Annotated[
        Literal["all", "recipes", "attributions", "metrics", "datasets", "suites"], typer.Argument(help="What to list.")
    ] = "all",
    long: Annotated[
        bool, typer.Option("--long", help="With settings, reference and, for metrics, the whole card.")
    ] = False,
) -> None:
    """List the plug-ins that were found, and the shipped suites."""
    from bench.api.registry import BASES, find
    from bench.cli.cards import card
    from bench.suites.load import shipped_suites

    for name in BASES if kind == "all" else [kind] if kind in BASES else []:
        listing = Table("name", "what it is", title=name, title_justify="left", box=None, pad_edge=False)
        for plugin in find(name).values():
            listing.add_row(plugin.name, card(plugin) if long else plugin.summary())
        console.print(listing, "")
    if kind in {"all", "suites"}:
        console.print("suites", *shipped_suites(), sep="\n")


def check(
    name: Annotated[str, typer.Argument(help="A plug-in of any kind, by name.")],
    settings: Annotated[str, typer.Option(help="Its settings, as a JSON object.")] = "{}",
) -> None:
    """Try everything that a plug-in of its kind promises; the exit status is 1 where a promise is broken."""
    import json

    from bench.api.registry import kind_of
    from bench.checks import trials
    from bench.suites.plugin_tables import make_plugin

    try:
        own = json.loads(settings)
    except ValueError:
        own = None
    if not isinstance(own, dict):
        raise HeatmarkError(f"--settings: expected a JSON object such as '{{\"steps\": 8}}', got {settings}")
    broken = 0
    for promise, trial in trials(make_plugin(kind_of(name), {**own, "name": name}, "--settings")):
        try:
            trial()
        except AssertionError as breach:
            broken += 1
            console.print(f"broken  {promise.replace('_', ' ')}: {breach}", markup=False, soft_wrap=True)
        else:
            console.print(f"kept    {promise.replace('_', ' ')}", markup=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)
