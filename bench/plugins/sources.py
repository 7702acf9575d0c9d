"""Where plug-ins are written: the files of the plug-in folders, and the entry points of installed packages."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

from bench.errors import HeatmarkError, nearest

PACKAGES = {
    "recipes": "bench.methods.recipes",
    "attributions": "bench.methods.attributions",
    "metrics": "bench.metrics",
    "datasets": "bench.datasets",
}
# Files here stand for a library and make plug-ins of its names.
ADAPTERS = {
    "attributions": "bench.methods.adapters",
    "metrics": "bench.metrics.adapters",
    "datasets": "bench.datasets.adapters",
}


@dataclass(frozen=True)
class Source:
    """A plug-in that nobody has imported yet: its public name, its module, and its file or else its entry point.

    The file of a `library` makes plug-ins of that library's names.
    """

    name: str
    module: str
    path: Path | None = None
    entry: EntryPoint | None = None
    library: str = ""

    def __str__(self) -> str:
        """Where it is, as errors name it."""
        return f"entry point {self.entry.name} = {self.entry.value}" if self.entry else str(self.path)


@cache
def sources(kind: str) -> dict[str, tuple[Source, ...]]:
    """The sources of a kind (a key of `PACKAGES`) by public name, sorted; more than one where a name is taken twice."""
    found: dict[str, tuple[Source, ...]] = {}
    for source in (*_files(kind), *_entries(kind)):
        found[source.name] = (*found.get(source.name, ()), source)
    return {name: found[name] for name in sorted(found)}


def source_of(kind: str, name: str) -> Source:
    """The source of the plug-in of this name, or an error with the nearest name, or with both that are named so."""
    library, _, inner = name.partition(":")
    if inner:
        return _of_library(kind, library, name)
    known = sources(kind)
    if name not in known:
        raise HeatmarkError(f"no {kind.removesuffix('s')} named {name!r}; {nearest(name, known)}")
    first, *others = known[name]
    if others:
        raise HeatmarkError(f"two {kind} are named {name!r}: {first} and {others[0]}; rename one of them")
    return first


def kind_of(name: str) -> str:
    """The kind of the plug-in of this name, or an error with the nearest name of any kind."""
    if ":" in name:
        return next((kind for kind in ADAPTERS if name.partition(":")[0] in libraries(kind)), "attributions")
    kinds = [kind for kind in PACKAGES if name in sources(kind)]
    if not kinds:
        known = nearest(name, [own for kind in PACKAGES for own in sources(kind)])
        raise HeatmarkError(f"no plug-in named {name!r}; {known}")
    if len(kinds) > 1:
        raise HeatmarkError(f"{name!r} is one of the {' and of the '.join(kinds)}; rename one of them")
    return kinds[0]


def libraries(kind: str) -> dict[str, Path]:
    """The files that stand for other libraries' methods, metrics or data sets, by the name before the colon."""
    places = folders(ADAPTERS[kind]) if kind in ADAPTERS else ()
    return {path.stem: path for folder in places for path in sorted(folder.glob("*.py"))}


def _of_library(kind: str, library: str, name: str) -> Source:
    known = libraries(kind)
    if library not in known:
        raise HeatmarkError(f"no library {library!r} for {kind}; {nearest(library, known)}")
    return Source(name, f"{ADAPTERS[kind]}.{library}", known[library], library=library)


def folders(package: str) -> tuple[Path, ...]:
    """Where the files of a plug-in package lie: beside `bench` in a checkout, inside it where it was installed."""
    found = find_spec(package)
    return tuple(Path(folder) for folder in (found.submodule_search_locations or () if found else ()))


def _files(kind: str) -> list[Source]:
    return [
        Source(path.stem, ".".join((PACKAGES[kind], *path.relative_to(folder).with_suffix("").parts)), path)
        for folder in folders(PACKAGES[kind])
        for path in sorted(folder.rglob("*.py"))
        if path.parent.name != "adapters"
    ]


def _entries(kind: str) -> list[Source]:
    return [Source(entry.name, entry.module, entry=entry) for entry in entry_points(group=f"heatmark.{kind}")]
