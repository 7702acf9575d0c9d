"""What settings are made of: values that several layers name, and checks of all settings at once."""

import math
from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args

# "mixed": curves of probabilities in bf16, and in fp32 where that decides; everything else in fp32.
Precision = Literal["fp32", "tf32", "bf16", "mixed"]
# How an image is resized; the names are those of Pillow, torchvision and timm.
Interpolation = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Compiler = Literal["none", "inductor", "cudagraphs", "aot_eager", "openvino"]
# What a network returns: logits of classes; one logit, of class 1 against class 0; probabilities of classes; a logit
# for each of several labels; a number.
OutputKind = Literal["logits", "logit", "probabilities", "labels", "number"]
KINDS: tuple[OutputKind, ...] = get_args(OutputKind)
LARGEST = 2**63 - 1
LONGEST_NAME = 100
# What a library's networks are named by; another name with a colon is somebody's own callable.
LIBRARIES = ("timm:", "hf:")
CLASSIFYING: tuple[OutputKind, ...] = ("logits", "logit", "probabilities", "labels")


def check_counts(settings: Any) -> None:
    """Raises ValueError for a whole number of a dataclass below 1, unless its default is."""
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.default is MISSING:  # no setting that a suite names
            continue
        least = min(1, field.default) if isinstance(field.default, int) else 1
        if field.type in (int, int | None) and value is not None and not least <= value <= LARGEST:
            most = "" if value < least else " and less than 2**63"
            raise ValueError(f"{field.name} {_short(value)}: expected {least} or more{most}")


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


def check_name(name: str) -> str:
    """The name, which can stand in a path, a table and a terminal as it is; ValueError otherwise."""
    if not name.strip() or name != name.strip() or len(name) > LONGEST_NAME:
        expected = f"1 to {LONGEST_NAME} characters, no blank at an end"
        raise ValueError(f"{name[:LONGEST_NAME]!r} is no name: expected {expected}")
    if not name.isprintable():
        raise ValueError(f"{name!r} is no name: expected no control character")
    if name[0] in "=+-@.":
        raise ValueError(f"{name!r} is no name: expected another first character than {name[0]!r}")
    if found := [sign for sign in "/\\|<>" if sign in name]:
        raise ValueError(f"{name!r} is no name: expected no {found[0]!r}")
    return name


def _short(value: int) -> str:
    return str(value) if abs(value) < 10**20 else f"of {len(hex(abs(value)))} hexadecimal digits"
