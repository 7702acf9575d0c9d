"""What a plug-in says of itself: settings, source and, for a metric, the question it asks and what it cannot see."""

from dataclasses import fields

from bench.api import AnyMetric, Plugin


def card(plugin: type[Plugin]) -> str:
    """A card of a few lines."""
    settings = ", ".join(f"{field.name} = {field.default!r}" for field in fields(plugin))
    lines = [plugin.summary()]
    if issubclass(plugin, AnyMetric):
        low, high = plugin.range
        lines += [
            f"Question: {plugin.question}",
            f"Better: {plugin.direction}, in [{low:g}, {high:g}]",
            f"Cannot see: {plugin.blind_spot}",
        ]
    lines += [f"Settings: {settings or 'none'}"]
    return "\n".join([*lines, f"Source: {plugin.reference}"] if plugin.reference else lines) + "\n"
