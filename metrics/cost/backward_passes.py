"""Backward passes per explanation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.scoring.passes import passes


@dataclass(frozen=True)
class BackwardPasses(Metric):
    """Backward passes from the output of the network that one explanation takes.

    Counted while the batch is explained once more; second derivatives through a pass count again.
    """

    unit: ClassVar[str] = "passes"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "How many gradients does the method take?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "The quality of the map, and all work outside the network or in parts of it."
    reference: ClassVar[str] = "counted"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """The batch's passes over its images, the same for each."""
        _, backward = passes(explained)
        return Scored(torch.full((len(explained.images),), backward, dtype=torch.float64))
