"""Suites: a TOML file becomes validated settings and plug-ins, or one line that says what is wrong with it."""

import json
from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.api import Plugin
from bench.api.registry import plugin_class
from bench.errors import HeatmarkError, nearest
from bench.suites.schema import (
    Settings,
)

_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def make_plugin(kind: str, settings: Settings, where: str, beside: Iterable[str] = ()) -> Plugin:
    """A plug-in of `kind` from its table: `name` and its settings.

    `where` begins every error message; `beside` are keys that the table has for others than the plug-in.
    """
    own = dict(settings)
    name = own.pop("name", None)
    if not isinstance(name, str):
        raise HeatmarkError(f"{where}.name: expected the name of one of the {kind}")
    try:
        plugin = plugin_class(kind, name)
    except HeatmarkError as error:
        raise HeatmarkError(f"{where}.name: {error}") from error
    try:
        made: Plugin = TypeAdapter(plugin).validate_json(json.dumps(own))
    except ValidationError as error:
        problem = _first(error)
        key = ".".join(map(str, problem["loc"]))
        if problem["type"] in _UNKNOWN:
            hint = nearest(key, [*beside, *(field.name for field in fields(plugin))])
            raise HeatmarkError(f"{where}.{key}: {name} has no such setting; {hint}") from error
        raise HeatmarkError(f"{where}{'.' if key else ''}{key}: {_complaint(problem)}") from error
    except ValueError as error:
        raise HeatmarkError(f"{where}: {name}: {error}") from error
    return made


def _first(error: ValidationError) -> Any:
    """The problem to tell of: an unknown key before all, since a missing one is often its twin."""
    return min(error.errors(), key=lambda problem: problem["type"] not in _UNKNOWN)


def _complaint(problem: Any) -> str:
    if problem["type"] == "value_error":  # in words of our own
        return str(problem["ctx"]["error"])
    given = json.dumps(problem["input"], default=str)
    shown = given if len(given) < 60 else type(problem["input"]).__name__
    return f"{problem['msg'][0].lower()}{problem['msg'][1:]}, got {shown}"
