"""What a plug-in says of itself: settings, source and, for a metric, the question it asks and what it cannot see."""

from dataclasses import fields

from bench.api import AnyMetric, ImageMetric, Plugin


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
            f"Needs: {_needs(plugin)}",
            f"Protocol: {plugin().stamp}",
        ]
    lines += [f"Settings: {settings or 'none'}"]
    return "\n".join([*lines, f"Source: {plugin.reference}"] if plugin.reference else lines) + "\n"


def _needs(metric: type[AnyMetric]) -> str:
    if not issubclass(metric, ImageMetric):
        return "several networks of a recipe"
    wanted = {"a truth map": metric.needs_truth, "fixations": metric.needs_fixations}
    return (
        " and ".join(name for name, needed in wanted.items() if needed) or "nothing beside the heatmap and its network"
    )
