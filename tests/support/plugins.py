"""Plug-ins that tests put beside the package's own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from importlib.metadata import EntryPoint

from bench.api import Attribution, registry
from bench.plugins import outline, sources


def entry_points(**targets: str) -> Callable[..., list[EntryPoint]]:
    """What stands for `importlib.metadata.entry_points` where a package offers these attributions."""

    def found(group: str) -> list[EntryPoint]:
        own = [EntryPoint(name, value, group) for name, value in targets.items()]
        return own if group == "heatmark.attributions" else []

    return found


def quick_attribution(name: str, few: Mapping[str, int]) -> Attribution:
    """An attribution by name, with those of these settings that it has."""
    plugin = registry.find("attributions")[name]
    known = {field.name for field in fields(plugin)}
    method = plugin(**{key: value for key, value in few.items() if key in known})
    assert isinstance(method, Attribution)
    return method


def forgetting() -> Iterator[None]:
    """Before and after: nothing is remembered of which plug-ins there are."""
    caches = (sources.sources, outline.outline, outline._tree, registry._class)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
