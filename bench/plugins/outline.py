"""What a plug-in's file says of it, read from its text: importing plug-ins takes seconds, since they import torch."""

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, make_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import ConfigDict

from bench.plugins.sources import PACKAGES, Source, folders

BASES = {
    "recipes": {"Recipe"},
    "attributions": {"Attribution"},
    "metrics": {"Metric", "PerturbationMetric", "NetworkMetric"},
    "datasets": {"Dataset"},
}
_BENCH = Path(__file__).parents[1]
_PLAIN: dict[str, Any] = {"int": int, "float": float, "bool": bool, "str": str}


@dataclass(frozen=True)
class Outline:
    """A plug-in without its mathematics: the first line of its docstring, and its settings with their types.

    A type that only Python itself could work out is `Any`.
    """

    summary: str
    settings: dict[str, Any]

    @property
    def table(self) -> type:
        """A dataclass of the settings that pydantic validates as it would the plug-in; only its checks are missing."""
        config = {"__pydantic_config__": ConfigDict(extra="forbid", strict=True)}
        fields = [(name, of, field(default=None)) for name, of in self.settings.items()]
        return make_dataclass("Settings", fields, namespace=config)


class _UnclearError(Exception):
    """The text alone does not say it."""


@cache
def outline(kind: str, source: Source) -> Outline | None:
    """The outline of a plug-in, None where only an import can tell, or would fail."""
    if source.path is None or source.library:
        return None
    try:
        tree = _tree(source.module)
        _check_imports(tree)
        own = {node.name: _ancestry(source.module, node) for node in tree.body if isinstance(node, ast.ClassDef)}
    except _UnclearError:
        return None
    plugins = [line for line in own.values() if any(_is_base(kind, *ancestor) for ancestor in line[1:])]
    if len(plugins) != 1 or not _is_dataclass(plugins[0][0][1]):
        return None
    try:
        settings = dict(setting for module, node in reversed(plugins[0]) for setting in _settings(module, node))
    except _UnclearError:
        return None
    lines = (ast.get_docstring(plugins[0][0][1]) or "").strip().splitlines()
    return Outline(lines[0], settings) if lines else None


def first_line(path: Path) -> str:
    """The first line of a file's docstring."""
    return (ast.get_docstring(ast.parse(path.read_bytes())) or "").partition("\n")[0]


def _check_imports(tree: ast.Module) -> None:
    for node in tree.body:
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = [node.module or ""]
        for module in modules:
            root = module.partition(".")[0]
            if (_file(module) if root == "bench" else root and importlib.util.find_spec(root)) is None:
                raise _UnclearError


def _ancestry(module: str, node: ast.ClassDef) -> list[tuple[str, ast.ClassDef]]:
    """A class and its base classes up to `Plugin`, in the order in which Python looks, each with its module."""
    line = [(module, node)]
    if module == "bench.api.plugin":
        return line
    for base in node.bases:
        if not isinstance(base, ast.Name):
            raise _UnclearError
        home, found = _definition(module, base.id)
        if not isinstance(found, ast.ClassDef):
            raise _UnclearError
        line += [ancestor for ancestor in _ancestry(home, found) if ancestor not in line]
    return line


def _is_base(kind: str, module: str, node: ast.ClassDef) -> bool:
    return node.name in BASES[kind] and module.startswith("bench.api.")


def _is_dataclass(node: ast.ClassDef) -> bool:
    called = [mark.func if isinstance(mark, ast.Call) else mark for mark in node.decorator_list]
    return any(isinstance(mark, ast.Name) and mark.id == "dataclass" for mark in called)


def _settings(module: str, node: ast.ClassDef) -> Iterator[tuple[str, Any]]:
    for line in node.body if _is_dataclass(node) else ():
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        if isinstance(line.value, ast.Call) and any(word.arg == "init" for word in line.value.keywords):
            raise _UnclearError
        if not ast.unparse(line.annotation).startswith(("ClassVar", "typing.ClassVar")):
            yield line.target.id, _type(module, line.annotation)


def _type(module: str, node: ast.expr) -> Any:
    """The type that an annotation names, `Any` where it is none of the plain ones."""
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Name(id=name) if name in _PLAIN:
            return _PLAIN[name]
        case ast.Name(id=name):
            return _alias(module, name)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            first, second = _type(module, left), _type(module, right)
            return Any if Any in (first, second) else Union[first, second]  # noqa: UP007 - types known only here
        case ast.Subscript(value=ast.Name(id="Literal"), slice=choices):
            values = choices.elts if isinstance(choices, ast.Tuple) else [choices]
            return _literal([_choices(module, value) for value in values])
        case _:
            return Any


def _choices(module: str, value: ast.expr) -> tuple[Any, ...] | None:
    """What a part of a Literal stands for: its value, or the values of another Literal; None where that is unclear."""
    if isinstance(value, ast.Constant):
        return (value.value,)
    inner = _alias(module, value.id) if isinstance(value, ast.Name) else Any
    return get_args(inner) if get_origin(inner) is Literal else None


def _literal(parts: list[tuple[Any, ...] | None]) -> Any:
    of: Any = Literal
    return Any if None in parts else of[tuple(value for part in parts for value in part or ())]


def _alias(module: str, name: str) -> Any:
    try:
        home, found = _definition(module, name)
    except _UnclearError:
        return Any
    return _type(home, found.value) if isinstance(found, ast.Assign) else Any


def _definition(module: str, name: str) -> tuple[str, ast.stmt]:
    """The statement of the package that defines what a module calls so, and the module where that stands."""
    for node in _tree(module).body:
        match node:
            case ast.ClassDef(name=own) if own == name:
                return module, node
            case ast.Assign(targets=[ast.Name(id=own)]) if own == name:
                return module, node
            case ast.ImportFrom(module=str(home), level=0, names=names):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        return _definition(home, alias.name)
    raise _UnclearError


@cache
def _tree(module: str) -> ast.Module:
    path = _file(module)
    if path is None:
        raise _UnclearError
    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError) as error:
        raise _UnclearError from error


def _file(module: str) -> Path | None:
    """The file of a module of the package, plug-in folders included."""
    places = [
        folder.joinpath(*module.removeprefix(f"{package}.").split("."))
        for package in PACKAGES.values()
        if module.startswith(f"{package}.")
        for folder in folders(package)
    ]
    if module.startswith("bench.") and not places:
        places = [_BENCH.joinpath(*module.split(".")[1:])]
    files = [path for place in places for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()]
    return files[0] if files else None
