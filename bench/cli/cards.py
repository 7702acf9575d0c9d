"""What a plug-in says of itself: settings, source and, for a metric, the question it asks and what it cannot see."""

from dataclasses import fields

from bench.api import AnyMetric, ImageMetric, Plugin


def card(plugin: type[Plugin]) -> str:
    """A card of a few lines."""
    made = plugin()
    own = made.card
    settings = ", ".join(f"{field.name} = {field.default!r}" for field in fields(plugin))
    lines = [f"{own.display}: {own.summary}"]
    if isinstance(made, AnyMetric):
        low, high = made.range
        unit = f" {made.unit}" if made.unit else ""
        lines += [
            f"Question: {made.question}",
            f"Better: {made.direction}, in [{low:g}, {high:g}]{unit}",
            f"Cannot see: {made.blind_spot}",
            f"Needs: {_needs(made)}",
            f"Protocol: {made.stamp}",
        ]
        lines += ["Counts: nothing, a property of the map and no worth"] if made.is_property else []
    lines += [f"Settings: {settings or 'none'}"]
    return "\n".join([*lines, f"Source: {own.reference}"] if own.reference else lines) + "\n"


def _needs(metric: AnyMetric) -> str:
    if not isinstance(metric, ImageMetric):
        return "several networks of a recipe"
    wanted = {"a truth map": metric.needs_truth, "fixations": metric.needs_fixations}
    return (
        " and ".join(name for name, needed in wanted.items() if needed) or "nothing beside the heatmap and its network"
    )
