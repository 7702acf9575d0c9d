"""What settings are made of: values that several layers name, and checks of all settings at once."""

import math
from collections.abc import Iterator
from dataclasses import fields
from typing import Any, Literal, get_args

Precision = Literal["fp32", "tf32", "bf16"]
# How an image is resized; the names are those of Pillow, torchvision and timm.
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Compiler = Literal["none", "inductor", "cudagraphs", "aot_eager"]
# What a network returns: logits of classes; one logit, of class 1 against class 0; probabilities of classes; a logit
# for each of several labels; a number.
OutputKind = Literal["logits", "logit", "probabilities", "labels", "number"]
KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
CLASSIFYING: tuple[OutputKind, ...] = ("logits", "logit", "probabilities", "labels")


def check_counts(settings: Any) -> None:
    """Raises ValueError for a whole number of a dataclass below 1, unless its default is."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        least = min(1, field.default) if isinstance(field.default, int) else 1
        if field.type in (int, int | None) and value is not None and value < least:
            raise ValueError(f"{field.name} {value}: expected {least} or more")


def check_finite(settings: Any) -> None:
    """Raises ValueError for a setting of a dataclass that is NaN or infinite, unless its default is."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value != field.default and not all(map(math.isfinite, _numbers(value))):
            raise ValueError(f"{field.name} {value}: expected finite numbers")


def _numbers(value: Any) -> Iterator[float]:
    """The floating-point numbers in a setting, however deep."""
    if isinstance(value, float):
        yield value
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
