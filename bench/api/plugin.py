"""What every plug-in is: a frozen dataclass with a public name, settings, a source to cite.

One file holds one plug-in. Its fields are its settings (every one has a default), its file name is its public name, its
docstring's first line is what the board shows. The base classes see to modes, gradients, chunks, shapes and failures,
so that a subclass is the mathematics.
"""

import re
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pydantic import ConfigDict

from bench.errors import UnsupportedError
from bench.plugin_card import Card, display_of
from bench.settings import CLASSIFYING, KINDS, OutputKind, check_counts, check_finite


@dataclass(frozen=True)
class Plugin(ABC):
    """What all plug-ins share: a public name, a label made of the settings, a source to cite.

    `display` is the name that people read, by default made of `name`.
    `library` is the name and version of another library that does the work, where one does. `output_kinds` are the
    kinds of output of a network that it works with (`bench.api.Network.output`). A setting that is NaN or infinite is
    refused with ValueError. `rounding` is how far a score may be from the same score computed on another machine, as a
    share of it (of 1, where it is smaller): what `heatmark verify` allows.
    """

    name: ClassVar[str] = ""
    display: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    library: ClassVar[str] = ""
    rounding: ClassVar[float] = 1e-5
    output_kinds: ClassVar[tuple[OutputKind, ...]] = KINDS
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        in_folder = re.fullmatch(r"bench\.(?:methods|metrics|datasets)\.(?:\w+\.)*(\w+)", cls.__module__)
        cls.name = in_folder[1] if in_folder else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()
        if "display" not in vars(cls):
            cls.display = display_of(cls.name)
        if own := cls.__dict__.get("__post_init__"):
            cls.__post_init__ = _checked_before(own)  # type: ignore[assignment, method-assign]

    def __post_init__(self) -> None:
        _check(self)

    @property
    def takes(self) -> tuple[OutputKind, ...]:
        """The kinds of output it works with under these settings: those with probabilities where it asks for one."""
        probability = self.settings.get("output") == "probability"
        return tuple(kind for kind in self.output_kinds if kind in CLASSIFYING or not probability)

    def check_takes(self, output: OutputKind, network_name: str) -> None:
        """Raises UnsupportedError where it does not work with a network of this kind of output."""
        if output not in self.takes:
            raise UnsupportedError(
                f"{self.name} takes networks whose output is {' or '.join(self.takes)}; "
                f'that of {network_name!r} is "{output}"'
            )

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting and its value."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def label(self) -> str:
        """The name, and in brackets the settings that differ from their defaults."""
        changed = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    @property
    def card(self) -> Card:
        """What the plug-in says of itself under these settings."""
        return Card(self.name, self.display, self.summary(), self.reference, self.settings)

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring; nothing where there is none, which only a plug-in file must have."""
        return (cls.__doc__ or "").strip().partition("\n")[0]


def _check(plugin: Any) -> None:
    check_finite(plugin)
    check_counts(plugin)


def _checked_before(own: Callable[[Any], None]) -> Callable[[Any], None]:
    """A plug-in's own check of its settings, behind the one that all share."""

    def check(self: Any) -> None:
        _check(self)
        own(self)

    return check
