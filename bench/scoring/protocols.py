"""Protocols of perturbation curves: named bundles of order, step, substrate, output, ties and area rule.

The same curve is another number in every library, and some curves differ too. What each does by default, or in its
documentation and configuration where it has no default; which class is explained is up to the caller everywhere:

rise2018        Petsiuk et al., 2018: a row of pixels a step, towards zero, from an 11 x 11 blur; mean of trapezoids.
quantus-0.6     Quantus' PixelFlipping: single channels of pixels by signed attributions, towards the darkest value of
                the image, no point for the untouched image; sum of the trapezoids, about one for each step. No
                insertion.
torchcam-0.5    torch-cam's DeletionInsertionMetric as it comes: at most 20 steps of ceil(pixels / 20), towards and from
                zero, of the logit; trapezoids over the shares replaced.
torchcam-0.4    The same of the probability: what that class gives when it is handed a softmax, and what `torchcam` was
                here before names had versions. torch-cam to 0.4 has no insertion or deletion of its own.
attribench-0.1  100 points from nothing to everything, towards and from zero, of the logit; their mean.
latec-2024      LATEC: 50 pixels a step, towards zero, from a 9 x 9 blur; no point at either end, and the sum of the
                trapezoids between divided by the number of points.

A name without a version is the newest, and the stamp of a score says which; see `bench.protocol_versions`.
"""

import math
from typing import Literal, TypeVar, get_args

import numpy as np

from bench.api import Plan
from bench.api.metric import AnyMetric
from bench.errors import HeatmarkError, nearest
from bench.functional.outputs import Output
from bench.protocol_versions import OF_LOGITS, VERSIONS, newest, versioned

InsertionProtocol = Literal[
    "rise2018",
    "torchcam",
    "torchcam-0.4",
    "torchcam-0.5",
    "attribench",
    "attribench-0.1",
    "latec",
    "latec-2024",
]
DeletionProtocol = Literal[InsertionProtocol, "quantus", "quantus-0.6"]
ScoringMetric = TypeVar("ScoringMetric", bound=AnyMetric)


def deletion_plan(protocol: DeletionProtocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of a deletion curve for maps of this size; `step` pixels a point, None for the protocol's own."""
    pixels, name = height * width, newest(protocol)
    match name:
        case "rise2018":
            return Plan(_even(pixels, step or width), "image", "zeros", ties="last")
        case "quantus-0.6":
            return Plan(_even(pixels, step or width)[1:], "image", "darkest", ties="first", area="unit_steps")
        case "torchcam-0.4" | "torchcam-0.5":
            counts = _even(pixels, step or math.ceil(pixels / 20))
            return Plan(counts, "image", "zeros", output=output(name), ties="first", area="shares")
        case "attribench-0.1":
            shown = (np.linspace(0, 1, _points(pixels, step)) * pixels).astype(int)
            return Plan(tuple(shown.tolist()), "image", "zeros", output="logit", ties="last", area="mean")
        case "latec-2024":
            return Plan(_inner(pixels, step or 50), "image", "zeros", ties="first", area="points")
    raise _unknown(protocol, DeletionProtocol)


def insertion_plan(protocol: InsertionProtocol, height: int, width: int, step: int | None) -> Plan:
    """The plan of an insertion curve for maps of this size; `step` as for deletion."""
    pixels, name = height * width, newest(protocol)
    match name:
        case "rise2018":
            return Plan(_even(pixels, step or width), "rise_blur", "image", ties="last")
        case "torchcam-0.4" | "torchcam-0.5":
            counts = _even(pixels, step or math.ceil(pixels / 20))
            return Plan(counts, "zeros", "image", output=output(name), ties="first", area="shares")
        case "attribench-0.1":
            hidden = (np.linspace(1, 0, _points(pixels, step)) * pixels).astype(int)
            counts = tuple((pixels - hidden).tolist())
            return Plan(counts, "zeros", "image", output="logit", ties="last", area="mean")
        case "latec-2024":
            return Plan(_inner(pixels, step or 50), "latec_blur", "image", ties="first", area="points")
    raise _unknown(protocol, InsertionProtocol)


def output(protocol: str) -> Output:
    """What the curves of a protocol are of."""
    return "logit" if newest(protocol) in OF_LOGITS else "probability"


def by_channel(protocol: str) -> bool:
    """Whether single channels of pixels are ranked, by signed attributions."""
    return newest(protocol) == "quantus-0.6"


def bounds(protocol: DeletionProtocol) -> tuple[float, float]:
    """The range of a protocol's scores: of probabilities, of their sum over the steps, of logits."""
    if output(protocol) == "logit":
        return (-math.inf, math.inf)
    return (0.0, math.inf if by_channel(protocol) else 1.0)


def stamp(protocol: str, step: int | None, tolerance: float | None) -> str:
    """The protocol's name with its version, and what is not as published."""
    changes = [f"step {step}" if step is not None else "", f"adaptive {tolerance:g}" if tolerance is not None else ""]
    return ", ".join([newest(protocol), *filter(None, changes)])


def as_stamped(metric: ScoringMetric, stamped: str) -> ScoringMetric:
    """The metric that scores with this stamp are of: a protocol named without a version has the one of the stamp."""
    named, meant = metric.settings.get("protocol"), versioned(stamped).partition(",")[0]
    if named not in VERSIONS or meant.partition("-")[0] != named:
        return metric
    return type(metric)(**{**metric.settings, "protocol": meant})


def removal_plan(
    pixels: int, steps: int, order: Literal["descending", "ascending", "both"], output: Literal["probability", "logit"]
) -> Plan:
    """Pixels removed towards zero in `steps` equal steps, scored by the mean drop (AOPC; Samek et al., 2017)."""
    counts = tuple(round(k * pixels / steps) for k in range(steps + 1))
    return Plan(counts, start="image", end="zeros", order=order, output=output, area="mean_drop")


def _unknown(protocol: str, known: object) -> HeatmarkError:
    return HeatmarkError(f"no protocol {protocol!r}; {nearest(protocol, get_args(known))}")


def _even(pixels: int, step: int) -> tuple[int, ...]:
    return tuple(min(k * step, pixels) for k in range(math.ceil(pixels / step) + 1))


def _inner(pixels: int, step: int) -> tuple[int, ...]:
    counts = _even(pixels, step)[1:-1]
    if not counts:
        raise HeatmarkError(f"protocol latec: {pixels} pixels leave no point between steps of {step}")
    return counts


def _points(pixels: int, step: int | None) -> int:
    return 100 if step is None else math.ceil(pixels / step) + 1
