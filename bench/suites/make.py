"""Plug-ins from their tables, and those of a call, by name or made already."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from bench.api import Plugin
from bench.api.registry import plugin_class
from bench.api.shared_state import shared_left_alone
from bench.errors import HeatmarkError
from bench.suites.plugin_tables import check_plugin, complaint, validate, worst
from bench.suites.schema import Settings

P = TypeVar("P", bound=Plugin)


def make_plugin(kind: str, settings: Settings, where: str, beside: Iterable[str] = ()) -> Plugin:
    """A plug-in of `kind` from its table: `name` and its settings.

    `where` begins every error message; `beside` are keys that the table has for others than the plug-in.
    """
    name = check_plugin(kind, settings, where, beside)
    with shared_left_alone(f"{where}: {name}"):
        return _made(kind, name, settings, where, beside)


def _made(kind: str, name: str, settings: Settings, where: str, beside: Iterable[str]) -> Plugin:
    try:
        plugin = plugin_class(kind, name)
    except HeatmarkError as error:
        raise HeatmarkError(f"{where}.name: {error}") from error
    try:
        made: Plugin = validate(plugin, settings, where, [*beside, *(field.name for field in fields(plugin))])
    except ValueError as error:
        raise HeatmarkError(f"{where}: {name}: {error}") from error
    return made


def several(plugins: Sequence[Any], what: str, make: Callable[[Any], P]) -> list[P]:
    """The plug-ins, made of their names, at least one; HeatmarkError for a single name, and for one that is twice."""
    if isinstance(plugins, str) or not isinstance(plugins, Sequence) or not plugins:
        raise HeatmarkError(f"{what}: expected a list of names or instances, got {plugins!r}")
    made = [make(plugin) for plugin in plugins]
    for plugin in made:
        _check_settings(plugin, what)
    label, times = Counter(plugin.label for plugin in made).most_common(1)[0]
    if times > 1:
        raise HeatmarkError(f"{what}: {label} is there {times} times; expected each once")
    return made


def _check_settings(plugin: Plugin, where: str) -> None:
    """Raises HeatmarkError naming the setting of an instance that is of another type or value than declared."""
    own = {field.name: getattr(plugin, field.name) for field in fields(plugin) if field.init}
    try:
        adapter, written = TypeAdapter(type(plugin)), json.dumps(own)
    except (PydanticUserError, TypeError):  # settings that only Python can say
        return
    try:
        adapter.validate_json(written)
    except ValidationError as error:
        problem = worst(error)
        key = ".".join(map(str, problem["loc"]))
        raise HeatmarkError(f"{where}: {plugin.name}.{key}: {complaint(problem)}") from error
