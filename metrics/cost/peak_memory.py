"""Peak memory of an explanation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored


@dataclass(frozen=True)
class PeakMemory(Metric):
    """Mebibytes of GPU memory that explaining one chunk of the batch takes beyond what was held before.

    Measured while the batch is explained once more; only a CUDA device counts its memory, elsewhere there is no score.
    """

    unit: ClassVar[str] = "MiB"
    is_property: ClassVar[bool] = True
    machine_bound: ClassVar[bool] = True
    question: ClassVar[str] = "How much memory does the method need?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "The quality of the map; grows with the network's chunk size."
    reference: ClassVar[str] = "measured"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation, where memory is measured."""
        return explanation if request.images.device.type == "cuda" else Cost(0, 0)

    def score(self, explained: Explained) -> Scored:
        """The batch's peak, the same for each image."""
        device, count = explained.images.device, len(explained.images)
        if device.type != "cuda":
            return Scored.none(["memory is measured on a GPU only"] * count)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        explained.attribute_again(explained.images)
        peak = torch.cuda.max_memory_allocated(device) - before
        return Scored(torch.full((count,), peak / 2**20, dtype=torch.float64))
