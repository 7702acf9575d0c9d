"""A plug-in from its table."""

from collections.abc import Iterable
from dataclasses import fields

from bench.api import Plugin
from bench.api.registry import plugin_class
from bench.errors import HeatmarkError
from bench.suites.plugin_tables import check_plugin, validate
from bench.suites.schema import Settings


def make_plugin(kind: str, settings: Settings, where: str, beside: Iterable[str] = ()) -> Plugin:
    """A plug-in of `kind` from its table: `name` and its settings.

    `where` begins every error message; `beside` are keys that the table has for others than the plug-in.
    """
    name = check_plugin(kind, settings, where, beside)
    try:
        plugin = plugin_class(kind, name)
    except HeatmarkError as error:
        raise HeatmarkError(f"{where}.name: {error}") from error
    try:
        made: Plugin = validate(plugin, settings, where, [*beside, *(field.name for field in fields(plugin))])
    except ValueError as error:
        raise HeatmarkError(f"{where}: {name}: {error}") from error
    return made
