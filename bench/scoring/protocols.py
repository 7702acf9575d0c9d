"""Protocols of perturbation curves: named bundles of order, step, substrate, output, ties and area rule.

The same curve is another number in every library, and some curves differ too. What each does by default, or in its
documentation and configuration where it has no default; which class is explained is up to the caller everywhere:

rise2018    Petsiuk et al., 2018: a row of pixels a step, towards zero, from an 11 x 11 blur; mean of the trapezoids.
quantus     Quantus' PixelFlipping: single channels of pixels by signed attributions, towards the darkest value of the
            image, no point for the untouched image; sum of the trapezoids, about one for each step. No insertion.
torchcam    torch-cam's DeletionInsertionMetric: 20 steps, towards and from zero; trapezoids over the shares replaced.
attribench  100 points from nothing to everything, towards and from zero, of the logit; their mean.
latec       LATEC: 50 pixels a step, towards zero, from a 9 x 9 blur; no point at either end, and the sum of the
            trapezoids between divided by the number of points.
"""

import math
from typing import Literal

import numpy as np

from bench.api import Plan
from bench.errors import HeatmarkError

InsertionProtocol = Literal["rise2018", "torchcam", "attribench", "latec"]
DeletionProtocol = Literal["rise2018", "quantus", "torchcam", "attribench", "latec"]


def deletion_plan(protocol: DeletionProtocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of a deletion curve for maps of this size; `step` pixels a point, None for the protocol's own."""
    pixels = height * width
    match protocol:
        case "rise2018":
            return Plan(_even(pixels, step or width), "image", "zeros", ties="last")
        case "quantus":
            return Plan(_even(pixels, step or width)[1:], "image", "darkest", ties="first", area="unit_steps")
        case "torchcam":
            return Plan(_even(pixels, step or math.ceil(pixels / 20)), "image", "zeros", ties="first", area="shares")
        case "attribench":
            counts = (np.linspace(0, 1, _points(pixels, step)) * pixels).astype(int)
            return Plan(tuple(counts.tolist()), "image", "zeros", output="logit", ties="last", area="mean")
        case "latec":
            return Plan(_inner(pixels, step or 50), "image", "zeros", ties="first", area="points")


def insertion_plan(protocol: InsertionProtocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of an insertion curve for maps of this size; `step` as for deletion."""
    pixels = height * width
    match protocol:
        case "rise2018":
            return Plan(_even(pixels, step or width), "rise_blur", "image", ties="last")
        case "torchcam":
            return Plan(_even(pixels, step or math.ceil(pixels / 20)), "zeros", "image", ties="first", area="shares")
        case "attribench":
            hidden = (np.linspace(1, 0, _points(pixels, step)) * pixels).astype(int)
            counts = tuple((pixels - hidden).tolist())
            return Plan(counts, "zeros", "image", output="logit", ties="last", area="mean")
        case "latec":
            return Plan(_inner(pixels, step or 50), "latec_blur", "image", ties="first", area="points")


def bounds(protocol: DeletionProtocol) -> tuple[float, float]:
    """The range of a protocol's scores: of probabilities, of their sum over the steps, of logits."""
    match protocol:
        case "quantus":
            return (0.0, math.inf)
        case "attribench":
            return (-math.inf, math.inf)
        case "rise2018" | "torchcam" | "latec":
            return (0.0, 1.0)


def stamp(protocol: str, step: int | None, tolerance: float | None) -> str:
    """The protocol's name, and what is not as published."""
    changes = [f"step {step}" if step is not None else "", f"adaptive {tolerance:g}" if tolerance is not None else ""]
    return ", ".join([protocol, *filter(None, changes)])


def removal_plan(
    pixels: int, steps: int, order: Literal["descending", "ascending", "both"], output: Literal["probability", "logit"]
) -> Plan:
    """Pixels removed towards zero in `steps` equal steps, scored by the mean drop (AOPC; Samek et al., 2017)."""
    counts = tuple(round(k * pixels / steps) for k in range(steps + 1))
    return Plan(counts, start="image", end="zeros", order=order, output=output, area="mean_drop")


def _even(pixels: int, step: int) -> tuple[int, ...]:
    return tuple(min(k * step, pixels) for k in range(math.ceil(pixels / step) + 1))


def _inner(pixels: int, step: int) -> tuple[int, ...]:
    counts = _even(pixels, step)[1:-1]
    if not counts:
        raise HeatmarkError(f"protocol latec: {pixels} pixels leave no point between steps of {step}")
    return counts


def _points(pixels: int, step: int | None) -> int:
    return 100 if step is None else math.ceil(pixels / step) + 1
