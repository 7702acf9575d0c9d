"""`heatmark list` and `check`: commands about plug-ins."""

from typing import Annotated, Literal

import typer
from rich.markup import escape
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
    from bench.plugins.sources import PACKAGES, sources
    from bench.suites.read import shipped_suites

    for own in PACKAGES if kind == "all" else [kind] if kind in PACKAGES else []:
        listing = Table("name", "what it is", title=own, title_justify="left", box=None, pad_edge=False)
        for name in sources(own):
            listing.add_row(name, escape(_described(own, name, long=long)))
        console.print(listing, "")
    if kind in {"all", "suites"}:
        console.print("suites", *shipped_suites(), sep="\n")


def _described(kind: str, name: str, *, long: bool) -> str:
    """What a plug-in is, or why it cannot be had; read from its file where that says it, which takes no import."""
    from bench.plugins.outline import outline
    from bench.plugins.sources import source_of

    try:
        known = outline(kind, source_of(kind, name))
        if known is not None and not long:
            return known.summary
        from bench.api.registry import plugin_class
        from bench.cli.cards import card

        plugin = plugin_class(kind, name)
        return card(plugin) if long else plugin.summary()
    except HeatmarkError as error:
        return str(error)


def check(
    name: Annotated[str, typer.Argument(help="A plug-in of any kind, by name.")],
    settings: Annotated[str, typer.Option(help="Its settings, as a JSON object.")] = "{}",
) -> None:
    """Try everything that a plug-in of its kind promises; the exit status is 1 where a promise is broken."""
    import json

    from bench.plugins.sources import kind_of
    from bench.suites.plugin_tables import check_plugin

    try:
        own = json.loads(settings)
    except ValueError:
        own = None
    if not isinstance(own, dict):
        raise HeatmarkError(f"--settings: expected a JSON object such as '{{\"steps\": 8}}', got {settings}")
    kind, table = kind_of(name), {**own, "name": name}
    check_plugin(kind, table, "--settings")
    from bench.checks import trials
    from bench.suites.make import make_plugin

    broken = 0
    for promise, trial in trials(make_plugin(kind, table, "--settings")):
        try:
            trial()
        except AssertionError as breach:
            broken += 1
            console.print(f"broken  {promise.replace('_', ' ')}: {breach}", markup=False, soft_wrap=True)
        else:
            console.print(f"kept    {promise.replace('_', ' ')}", markup=False, soft_wrap=True)
    if broken:
        raise typer.Exit(1)
