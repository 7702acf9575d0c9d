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
# Files here stand for a library and make plug-ins of its names.
ADAPTERS = {"attributions": "bench.methods.adapters", "metrics": "bench.metrics.adapters"}


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
    library, _, inner = name.partition(":")
    if inner:
        return _of_library(kind, library, inner)
    known = find(kind)
    if name not in known:
        raise HeatmarkError(f"no {kind.removesuffix('s')} named {name!r}; {nearest(name, known)}")
    return known[name]


def libraries(kind: str) -> dict[str, ModuleType]:
    """The adapters of other libraries' methods or metrics, by the name that stands before the colon."""
    package = find_spec(ADAPTERS[kind]) if kind in ADAPTERS else None
    folders = package.submodule_search_locations or () if package else ()
    paths = [path for folder in folders for path in sorted(Path(folder).glob("*.py"))]
    return {path.stem: _imported(f"{ADAPTERS[kind]}.{path.stem}", str(path)) for path in paths}


@cache
def _of_library(kind: str, library: str, name: str) -> type[Plugin]:
    """The plug-in class of a method or metric of another library."""
    known = libraries(kind)
    if library not in known:
        raise HeatmarkError(f"no library {library!r} for {kind}; {nearest(library, known)}")
    made: type[Plugin] = known[library].plugin(name)
    return made


def kind_of(name: str) -> str:
    """The kind of the plug-in of this name, or an error with the nearest name of any kind."""
    if ":" in name:
        return next((kind for kind in ADAPTERS if name.partition(":")[0] in libraries(kind)), "attributions")
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
        for path in sorted(path for path in Path(folder).rglob("*.py") if path.parent.name != "adapters"):
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
