"""What settings are made of: values that several layers name, and checks of all settings at once."""

from dataclasses import fields
from typing import Any, Literal

Precision = Literal["fp32", "tf32", "bf16"]
Compiler = Literal["none", "inductor", "cudagraphs", "aot_eager"]


def check_counts(settings: Any) -> None:
    """Raises ValueError for a whole number of a dataclass below 1, unless its default is."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        least = min(1, field.default) if isinstance(field.default, int) else 1
        if field.type in (int, int | None) and value is not None and value < least:
            raise ValueError(f"{field.name} {value}: expected {least} or more")
