"""What a plug-in says of itself, as the manifest, the listing and the board read it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self


@dataclass(frozen=True)
class Card:
    """What all plug-ins say: `name` in code, `display` to people, what it is in a sentence, source and settings."""

    name: str = ""
    display: str = ""
    summary: str = ""
    reference: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, label: str, written: Mapping[str, Any]) -> Self:
        """The card that a manifest has of a label; what it leaves out, or has of another version, is the default."""
        known = {own.name: written[own.name] for own in fields(cls) if written.get(own.name) is not None}
        name = known.get("name") or label.partition("(")[0]
        return cls(**known | {"name": name, "display": known.get("display") or display_of(name)})

    def written(self) -> dict[str, Any]:
        """The card as a manifest has it."""
        return asdict(self)


@dataclass(frozen=True)
class AttributionCard(Card):
    """And of an attribution method: whether it is a control, knows nothing at all, or knows the truth.

    `degraded`: how far, from 0 to 1, its maps are the truth made worse, where they are.
    """

    control: bool = False
    floor: bool = False
    needs_truth: bool = False
    degraded: float | None = None


@dataclass(frozen=True)
class MetricCard(Card):
    """And of a metric: how to read its scores.

    `range` has None for an end that is open; `smallest` is the smallest difference that matters on the metric's own
    scale, None where a board's floor and ceiling say; a property `is_property`, and counts nothing in an order.
    """

    family: str = ""
    question: str = ""
    direction: str = "higher"
    unit: str = ""
    range: tuple[float | None, float | None] | None = None
    chance: float | None = None
    protocol: str = ""
    blind_spot: str = ""
    is_property: bool = False
    smallest: float | None = None


def display_of(name: str) -> str:
    """A name in code as people write it: `simple_gradient` is "Simple gradient"."""
    own = name.replace("_", " ")
    return own[:1].upper() + own[1:]
