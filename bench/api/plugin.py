"""What every plug-in is: a frozen dataclass with a public name, settings, a source to cite.

One file holds one plug-in. Its fields are its settings (every one has a default), its file name is its public name, its
docstring's first line is what the board shows. The base classes see to modes, gradients, chunks, shapes and failures,
so that a subclass is the mathematics.
"""

import re
from abc import ABC
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from pydantic import ConfigDict


@dataclass(frozen=True)
class Plugin(ABC):
    """What all plug-ins share: a public name, a label made of the settings, a source to cite.

    `library` is the name and version of another library that does the work, where one does.
    """

    name: ClassVar[str] = ""
    reference: ClassVar[str] = ""
    library: ClassVar[str] = ""
    __pydantic_config__ = ConfigDict(extra="forbid", strict=True)

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        in_folder = re.fullmatch(r"bench\.(?:methods|metrics|datasets)\.(?:\w+\.)*(\w+)", cls.__module__)
        cls.name = in_folder[1] if in_folder else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def settings(self) -> dict[str, Any]:
        """Every setting and its value."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def label(self) -> str:
        """The name, and in brackets the settings that differ from their defaults."""
        changed = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return f"{self.name}({', '.join(changed)})" if changed else self.name

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]
