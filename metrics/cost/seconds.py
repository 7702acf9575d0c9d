"""Seconds per explanation."""

import time
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored


@dataclass(frozen=True)
class Seconds(Metric):
    """Wall-clock time per image of explaining the batch once more.

    A measurement of this machine, this load and this batch size: the one score that is never twice the same.
    """

    display: ClassVar[str] = "Time"
    unit: ClassVar[str] = "s"
    is_property: ClassVar[bool] = True
    machine_bound: ClassVar[bool] = True
    question: ClassVar[str] = "How long does one explanation take?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "The quality of the map; compare only within one run on one machine."
    reference: ClassVar[str] = "measured"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """The batch's time over its images, the same for each."""
        _finish(explained.images.device)
        start = time.perf_counter()
        explained.attribute_again(explained.images)
        _finish(explained.images.device)
        each = (time.perf_counter() - start) / len(explained.images)
        return Scored(torch.full((len(explained.images),), each, dtype=torch.float64))


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
