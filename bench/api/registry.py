"""Find plug-ins: the files of the plug-in folders, and the entry points of installed packages."""

import importlib
import inspect
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from bench.api.attribution import Attribution
from bench.api.dataset import Dataset
from bench.api.metric import Metric, PerturbationMetric
from bench.api.network_metric import NetworkMetric
from bench.api.plugin import Plugin
from bench.api.recipe import Recipe
from bench.errors import HeatmarkError, nearest

BASES: dict[str, tuple[type[Plugin], ...]] = {
    "recipes": (Recipe,),
    "attributions": (Attribution,),
    "metrics": (Metric, PerturbationMetric, NetworkMetric),
    "datasets": (Dataset,),
}
PACKAGES = {
    "recipes": "bench.methods.recipes",
    "attributions": "bench.methods.attributions",
    "metrics": "bench.metrics",
    "datasets": "bench.datasets",
}


@cache
def find(kind: str) -> dict[str, type[Plugin]]:
    """Every plug-in of a kind (a key of `BASES`) by public name, sorted by name.

    Raises HeatmarkError when a file cannot be imported, holds no plug-in or several, or shares its name.
    """
    found: dict[str, tuple[type[Plugin], str]] = {}
    for plugin, source in (*_from_folder(kind), *_from_entry_points(kind)):
        if plugin.name in found and found[plugin.name][0] is not plugin:
            raise HeatmarkError(
                f"two {kind} are named {plugin.name!r}: {found[plugin.name][1]} and {source}; rename one of them"
            )
        found[plugin.name] = (plugin, source)
    return {name: found[name][0] for name in sorted(found)}


def plugin_class(kind: str, name: str) -> type[Plugin]:
    """The plug-in class of this name, or an error with the nearest name."""
    known = find(kind)
    if name not in known:
        raise HeatmarkError(f"no {kind.removesuffix('s')} named {name!r}; {nearest(name, known)}")
    return known[name]


def kind_of(name: str) -> str:
    """The kind of the plug-in of this name, or an error with the nearest name of any kind."""
    kinds = [kind for kind in BASES if name in find(kind)]
    if not kinds:
        raise HeatmarkError(
            f"no plug-in named {name!r}; {nearest(name, [own for kind in BASES for own in find(kind)])}"
        )
    if len(kinds) > 1:
        raise HeatmarkError(f"{name!r} is one of the {' and of the '.join(kinds)}; rename one of them")
    return kinds[0]


def source_file(plugin: type[Plugin]) -> Path:
    """The file that a plug-in is written in."""
    return Path(inspect.getfile(plugin))


def _from_folder(kind: str) -> list[tuple[type[Plugin], str]]:
    plugins = []
    package = find_spec(PACKAGES[kind])
    for folder in package.submodule_search_locations or () if package else ():
        for path in sorted(Path(folder).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            module = _imported(".".join((PACKAGES[kind], *parts)), str(path))
            plugins.append((_only_plugin(module, kind, str(path)), str(path)))
    return plugins


def _imported(module: str, path: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except Exception as error:
        raise HeatmarkError(f"plug-in file {path} cannot be imported: {type(error).__name__}: {error}") from error


def _only_plugin(module: ModuleType, kind: str, path: str) -> type[Plugin]:
    own = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and issubclass(thing, BASES[kind]) and thing.__module__ == module.__name__
    ]
    if len(own) != 1:
        names = ", ".join(thing.__name__ for thing in own) or "none"
        raise HeatmarkError(f"plug-in file {path} must hold exactly one of the {kind}, found: {names}")
    return own[0]


def _from_entry_points(kind: str) -> list[tuple[type[Plugin], str]]:
    plugins = []
    for entry in entry_points(group=f"heatmark.{kind}"):
        source = f"entry point {entry.name} = {entry.value}"
        try:
            plugin = entry.load()
        except Exception as error:
            raise HeatmarkError(f"{source} cannot be loaded: {type(error).__name__}: {error}") from error
        if not (inspect.isclass(plugin) and issubclass(plugin, BASES[kind])):
            raise HeatmarkError(f"{source} is not one of the {kind}: expected a subclass of {BASES[kind][0].__name__}")
        plugin.name = entry.name
        plugins.append((plugin, source))
    return plugins
