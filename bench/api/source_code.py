"""What code decides: the files that a module is made of and imports, by content; installed packages by version."""

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

_INSTALLED = tuple(Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib", "stdlib", "platstdlib"))
# Its own code is hashed as a whole, elsewhere.
_OWN = "bench"


@cache
def code_of(path: Path) -> str:
    """A hash of a Python file and of every file that it imports, and they import, that belongs to no installed package.

    Of installed packages that are imported the versions count. `bench` itself is left out, plug-ins are not.
    """
    digest = hashlib.sha256()
    packages: set[str] = set()
    for file in sorted(_files(path.resolve(), packages), key=str):
        digest.update(file.read_bytes() + b"\0")
    for package in sorted(packages):
        digest.update(f"{package} {_version(package)}\n".encode())
    return digest.hexdigest()


def _files(path: Path, packages: set[str]) -> set[Path]:
    """The file and those it imports; the names of installed packages go into `packages`."""
    found, waiting = set(), [path]
    while waiting:
        file = waiting.pop()
        if file in found:
            continue
        found.add(file)
        for name in _imported(file):
            top = name.partition(".")[0]
            if top == _OWN or top in sys.stdlib_module_names:
                continue
            origin = _origin(name, file.parent)
            if origin is None or any(origin.is_relative_to(folder) for folder in _INSTALLED):
                packages.add(top)
            elif origin.suffix == ".py":
                waiting.append(origin)
    return found


def _imported(file: Path) -> Iterator[str]:
    """The names of all modules that a file imports, relative ones as paths below its folder."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            prefix = "." * node.level + (node.module or "")
            yield prefix
            yield from (f"{prefix}{'' if prefix.endswith('.') else '.'}{alias.name}" for alias in node.names)


def _origin(name: str, folder: Path) -> Path | None:
    """The file of a module: beside the importing file, or where Python finds it."""
    if name.startswith("."):
        level = len(name) - len(name.lstrip("."))
        base = folder
        for _ in range(level - 1):
            base = base.parent
        return _below(base, name.lstrip("."))
    beside = _below(folder, name)
    if beside is not None:
        return beside
    spec = _spec(name)
    return None if spec is None or not spec.origin or not Path(spec.origin).is_file() else Path(spec.origin).resolve()


def _below(folder: Path, name: str) -> Path | None:
    path = folder.joinpath(*name.split(".")) if name else folder
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate.resolve()
    return None


def _spec(name: str) -> ModuleSpec | None:
    try:
        return find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


@cache
def _version(package: str) -> str:
    distributions = _distributions().get(package, [])
    return " ".join(f"{name} {version(name)}" for name in sorted(set(distributions)))


@cache
def _distributions() -> Mapping[str, list[str]]:
    """The installed distributions of each package: all of their files are read for it."""
    return packages_distributions()
