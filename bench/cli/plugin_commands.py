"""`heatmark list` and `check`: commands about plug-ins."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from bench.cli.console import console, say
from bench.cli.options import AllowCode, Folder, NewKind
from bench.errors import HeatmarkError


def list_plugins(
    kind: Annotated[
        Literal["all", "recipes", "attributions", "metrics", "datasets", "suites"],
        typer.Argument(show_choices=False, help="recipes, attributions, metrics, datasets or suites."),
    ] = "all",
    long: Annotated[
        bool, typer.Option("--long", help="With settings, reference and, for metrics, the whole card.")
    ] = False,
) -> None:
    """List the plug-ins that were found, and the shipped suites."""
    from bench.plugins.outline import first_line
    from bench.plugins.sources import PACKAGES, libraries, sources
    from bench.suites.read import shipped_suites

    for own in PACKAGES if kind == "all" else [kind] if kind in PACKAGES else []:
        listing = Table("name", "what it is", title=own, title_justify="left", box=None, pad_edge=False)
        for name in sources(own):
            listing.add_row(name, escape(_described(own, name, long=long)))
        for library, path in libraries(own).items():
            listing.add_row(f"{library}:NAME", escape(first_line(path)))
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
    name: Annotated[str, typer.Argument(help="A plug-in of any kind by name, or a suite: by name, or a .toml file.")],
    settings: Annotated[str, typer.Option(help="A plug-in's settings, as a JSON object.")] = "{}",
    store: Folder = Path(".heatmark"),
    allow_code: AllowCode = False,
) -> None:
    """Try everything that a plug-in, or the networks and the data set of a suite, promise; status 1 for a breach."""
    from bench.suites.read import shipped_suites

    is_suite = name in shipped_suites() or name.endswith(".toml")
    broken: dict[str, str] = {}
    for promise, trial in _suite_trials(name, store, allow_code=allow_code) if is_suite else _trials(name, settings):
        words = promise.replace("_", " ")
        if trial is None:
            say(f"left    {words}: it has no weights before it is trained")
            continue
        try:
            trial()
        except AssertionError as breach:
            reason = str(breach)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever fails has broken its promise, and the others are tried
            reason = f"{type(error).__name__}: {error}"
        else:
            say(f"kept    {words}")
            continue
        first = broken.setdefault(reason, words)
        say(f"broken  {words}: {reason if first == words else f'the same as in {first!r}'}")
    if broken:
        raise typer.Exit(1)


Trials = Iterator[tuple[str, Callable[[], None] | None]]


def _trials(name: str, settings: str) -> Trials:
    """The checks of a plug-in."""
    import json

    from bench.plugins.sources import kind_of
    from bench.suites.plugin_tables import check_plugin

    try:
        own = json.loads(settings)
    except (ValueError, RecursionError):
        own = None
    if not isinstance(own, dict):
        raise HeatmarkError(f"--settings: expected a JSON object such as '{{\"steps\": 8}}', got {settings[:60]}")
    kind, table = kind_of(name), {**own, "name": name}
    check_plugin(kind, table, "--settings")
    from bench.checks import trials
    from bench.suites.make import make_plugin

    yield from trials(make_plugin(kind, table, "--settings"))


def _suite_trials(name: str, store: Path, *, allow_code: bool) -> Trials:
    """The checks of a suite's networks and data set."""
    import torch

    from bench.progress import progress
    from bench.results.cell_store import Store
    from bench.runner.networks import suite_trials
    from bench.runner.records import Run
    from bench.suites.load import load_suite

    with progress() as bars:
        yield from suite_trials(Run(load_suite(name, allow_code=allow_code), Store(store), torch.device("cpu"), bars))


def new(
    kind: Annotated[NewKind, typer.Argument(show_choices=False, help="attribution, recipe, metric, dataset or suite.")],
    name: Annotated[str, typer.Argument(help="Its public name, such as my_method.")],
    package: Annotated[
        Path | None, typer.Option(help="A folder for a package of your own; else it goes into the checkout.")
    ] = None,
    family: Annotated[str, typer.Option(help="The question of a metric, which it needs: a folder of metrics/.")] = "",
) -> None:
    """Write a plug-in that works and its test, or a suite, to go on from."""
    from bench.cli.new_files import NewPlugin, checkout_files, package_files, write_new

    plugin = NewPlugin(kind, name, family)
    files = checkout_files(plugin) if package is None else package_files(plugin, package)
    write_new(files)
    for path in files:
        say(str(path))
    check_it = f"heatmark check {name}.toml" if kind == "suite" else f"heatmark check {name}"
    say(f"Next: {check_it if package is None else f'python -m pip install -e {package} && {check_it}'}")
    if kind != "suite":
        test = str(list(files)[1]) if package is None else f"{package}/tests"
        needs = "pytest hypothesis" if package is None else f'-e "{package}[test]"'
        say(f"Its test, which needs more: python -m pip install {needs} && python -m pytest {test}")
