"""Forward passes per explanation."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.scoring.passes import passes


@dataclass(frozen=True)
class ForwardPasses(Metric):
    """Forward passes through the whole network that one explanation takes.

    Counted while the batch is explained once more; a pass that feeds a backward pass counts too, and one that images
    share does not, as it would hang on how many they are.
    """

    unit: ClassVar[str] = "passes"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "How often does the method ask the network?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "The quality of the map, and all work outside the network or in parts of it."
    reference: ClassVar[str] = "counted"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """The batch's passes over its images, the same for each."""
        forward, _ = passes(explained)
        return Scored(torch.full((len(explained.images),), forward, dtype=torch.float64))
