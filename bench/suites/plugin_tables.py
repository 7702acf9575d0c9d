"""Tables that name a plug-in, and what is wrong with them as far as that can be said without importing it."""

import json
import re
from collections.abc import Iterable
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.errors import HeatmarkError, nearest
from bench.plugins.outline import outline
from bench.plugins.sources import source_of
from bench.suites.schema import Settings

_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}


def check_plugin(kind: str, settings: Settings, where: str, beside: Iterable[str] = ()) -> str:
    """The name in a plug-in's table, whose settings are right as far as the text of the plug-in's file says.

    `where` begins every error message; `beside` are keys that the table has for others than the plug-in.
    """
    name = settings.get("name")
    if not isinstance(name, str):
        raise HeatmarkError(f"{where}.name: expected the name of one of the {kind}")
    try:
        source = source_of(kind, name)
    except HeatmarkError as error:
        raise HeatmarkError(f"{where}.name: {error}") from error
    found = outline(kind, source)
    if found is not None:
        validate(found.table, settings, where, [*beside, *found.settings])
    return name


def validate(table: type, settings: Settings, where: str, known: Iterable[str]) -> Any:
    """An instance of a dataclass with these settings (and a `name` that is not among them).

    HeatmarkError naming the key, with the nearest of `known` where there is no such setting.
    """
    own = {key: value for key, value in settings.items() if key != "name"}
    try:
        return TypeAdapter(table).validate_json(json.dumps(own))
    except ValidationError as error:
        problem = worst(error)
        key = ".".join(map(str, problem["loc"]))
        if is_unknown(problem):
            hint = nearest(key, known)
            raise HeatmarkError(f"{where}.{key}: {settings['name']} has no such setting; {hint}") from error
        raise HeatmarkError(f"{where}{'.' if key else ''}{key}: {complaint(problem)}") from error


def is_unknown(problem: Any) -> bool:
    """Whether a problem that pydantic found is a key that is not known."""
    return problem["type"] in _UNKNOWN


def worst(error: ValidationError) -> Any:
    """The problem to tell of: an unknown key before all, since a missing one is often its twin."""
    return min(error.errors(), key=lambda problem: not is_unknown(problem))


def complaint(problem: Any) -> str:
    """What was expected and what was given, without the key."""
    if problem["type"] == "value_error":  # in words of our own
        return str(problem["ctx"]["error"])
    given = json.dumps(problem["input"], default=str)
    shown = given if len(given) < 60 else type(problem["input"]).__name__
    if problem["type"] == "tuple_type" and isinstance(problem["input"], int | float):
        return f"expected a list, [{given}, ...], got {given}"
    said = f"{problem['msg'][0].lower()}{problem['msg'][1:]}, got {shown}"
    if problem["type"] != "literal_error" or not isinstance(problem["input"], str):
        return said
    choices = re.findall(r"'([^']*)'", problem["ctx"]["expected"])
    close = nearest(problem["input"], choices)
    return f"{said}; {close}" if close.startswith("did") else said
