"""Plug-ins that tests put beside the package's own."""

from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint

from bench.api import registry
from bench.plugins import outline, sources


def entry_points(**targets: str) -> Callable[..., list[EntryPoint]]:
    """What stands for `importlib.metadata.entry_points` where a package offers these attributions."""

    def found(group: str) -> list[EntryPoint]:
        own = [EntryPoint(name, value, group) for name, value in targets.items()]
        return own if group == "heatmark.attributions" else []

    return found


def forgetting() -> Iterator[None]:
    """Before and after: nothing is remembered of which plug-ins there are."""
    caches = (sources.sources, outline.outline, outline._tree, registry._class)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
