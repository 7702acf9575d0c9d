"""Protocols of insertion and deletion: named bundles of order, step, substrate, output and ties."""

import math
from typing import Literal

from torch import Tensor

from bench.handed import Plan

Protocol = Literal["rise2018"]


def deletion_plan(protocol: Protocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of a deletion curve for maps of this size; `step` pixels a point, None for the protocol's own."""
    match protocol:
        case "rise2018":
            return Plan(_even_counts(height * width, step or width), start="image", end="zeros", ties="stable")


def insertion_plan(protocol: Protocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of an insertion curve for maps of this size; `step` as for deletion."""
    match protocol:
        case "rise2018":
            return Plan(_even_counts(height * width, step or width), start="rise_blur", end="image", ties="stable")


def stamp(protocol: Protocol, step: int | None, tolerance: float | None) -> str:
    """The protocol's name, and what is not as published."""
    changes = [f"step {step}" if step is not None else "", f"adaptive {tolerance:g}" if tolerance is not None else ""]
    return ", ".join([protocol, *filter(None, changes)])


def _even_counts(pixels: int, step: int) -> tuple[int, ...]:
    return tuple(min(k * step, pixels) for k in range(math.ceil(pixels / step) + 1))


def removal_plan(
    pixels: int, steps: int, order: Literal["descending", "ascending"], output: Literal["probability", "logit"]
) -> Plan:
    """Pixels removed towards zero in `steps` equal steps."""
    counts = tuple(round(k * pixels / steps) for k in range(steps + 1))
    return Plan(counts, start="image", end="zeros", order=order, output=output)


def aopc(curves: Tensor) -> Tensor:
    """Area over the perturbation curve (Samek et al., 2017): the mean drop below the first point, (batch,)."""
    return (curves[:, :1] - curves[:, 1:]).mean(1)
