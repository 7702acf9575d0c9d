"""Local Lipschitz estimate (Alvarez-Melis & Jaakkola, 2018)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.scoring.neighbourhood import changes_around, steps_around


@dataclass(frozen=True)
class LocalLipschitz(Metric):
    """Largest relative change of the attributions per unit of change of the image, among random images close by.

    |a' - a| / (|a| |x' - x|), images in pixel space. The paper leaves |a| out; with it, methods of different scale can
    be compared. All-zero attributions count as in max-sensitivity.
    """

    radius: float = 0.1
    samples: int = 10
    display: ClassVar[str] = "Local Lipschitz"
    question: ClassVar[str] = "How steeply do the attributions change around the image?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Whether the map depends on anything; a random search underestimates the constant."
    reference: ClassVar[str] = "Alvarez-Melis & Jaakkola, 2018, arXiv:1806.08049"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation for each sample."""
        return explanation * self.samples

    def score(self, explained: Explained) -> Scored:
        """The largest ratio of each image."""
        lengths = [step.double().flatten(1).norm(dim=1) for step in steps_around(explained, self.radius, self.samples)]
        return Scored((changes_around(explained, self.radius, self.samples) / torch.stack(lengths, 1)).amax(1))
