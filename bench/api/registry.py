"""Import plug-ins: the class in a plug-in file, or behind an entry point; one that cannot be had stops nobody else."""

import importlib
import inspect
from functools import cache
from pathlib import Path

from bench.api.attribution import Attribution
from bench.api.dataset import Dataset
from bench.api.metric import Metric, PerturbationMetric
from bench.api.network_metric import NetworkMetric
from bench.api.plugin import Plugin
from bench.api.recipe import Recipe
from bench.errors import HeatmarkError
from bench.plugin_card import display_of
from bench.plugins.sources import Source, source_of, sources

BASES: dict[str, tuple[type[Plugin], ...]] = {
    "recipes": (Recipe,),
    "attributions": (Attribution,),
    "metrics": (Metric, PerturbationMetric, NetworkMetric),
    "datasets": (Dataset,),
}


def find(kind: str) -> dict[str, type[Plugin]]:
    """Every plug-in of a kind (a key of `BASES`) that can be imported, by public name, sorted by name."""
    return _all(kind)[0]


def problems(kind: str) -> dict[str, str]:
    """The plug-ins of a kind that cannot be had, by name, each with one line that names the file and says why."""
    return _all(kind)[1]


def plugin_class(kind: str, name: str) -> type[Plugin]:
    """The plug-in class of this name; only its own file is imported.

    HeatmarkError with the nearest name where there is none, or naming the file or entry point that cannot be
    imported, holds no plug-in or several, or shares its name with another.
    """
    return _class(kind, source_of(kind, name))


def source_file(plugin: type[Plugin]) -> Path:
    """The file that a plug-in is written in."""
    return Path(inspect.getfile(plugin))


def _all(kind: str) -> tuple[dict[str, type[Plugin]], dict[str, str]]:
    found, failed = {}, {}
    for name in sources(kind):
        try:
            found[name] = plugin_class(kind, name)
        except HeatmarkError as error:
            failed[name] = str(error)
    return found, failed


@cache
def _class(kind: str, source: Source) -> type[Plugin]:
    return _from_file(kind, source) if source.entry is None else _from_entry_point(kind, source)


def _from_file(kind: str, source: Source) -> type[Plugin]:
    try:
        module = importlib.import_module(source.module)
    except (Exception, SystemExit) as error:
        raise HeatmarkError(f"plug-in file {source} cannot be imported: {_said(error)}") from error
    if source.library:
        made: type[Plugin] = module.plugin(source.name.partition(":")[2])
        return made
    own = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, BASES[kind]) and thing.__module__ == module.__name__
    ]
    if len(own) != 1:
        names = ", ".join(thing.__name__ for thing in own) or "none"
        raise HeatmarkError(f"plug-in file {source} must hold exactly one of the {kind}, found: {names}")
    plugin: type[Plugin] = own[0]
    return plugin


def _from_entry_point(kind: str, source: Source) -> type[Plugin]:
    assert source.entry is not None  # noqa: S101 - for the type checker
    try:
        plugin = source.entry.load()
    except (Exception, SystemExit) as error:
        raise HeatmarkError(f"{source} cannot be loaded: {_said(error)}") from error
    if not (inspect.isclass(plugin) and issubclass(plugin, BASES[kind])):
        raise HeatmarkError(f"{source} is not one of the {kind}: expected a subclass of {BASES[kind][0].__name__}")
    if plugin.display == display_of(plugin.name):
        plugin.display = display_of(source.name)
    plugin.name = source.name
    found: type[Plugin] = plugin
    return found


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
