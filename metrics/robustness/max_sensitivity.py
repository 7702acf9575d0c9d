"""Max-sensitivity (Yeh et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.scoring.neighbourhood import changes_around


@dataclass(frozen=True)
class MaxSensitivity(Metric):
    """Largest relative change of the attributions among random images within a small distance.

    |a' - a| / |a| in L2, over `samples` images uniform within +-`radius` of every pixel value in [0, 1]; every method
    sees the same ones. All-zero attributions: 0 if nothing changed, else 1.
    """

    radius: float = 0.02
    samples: int = 10
    display: ClassVar[str] = "Max-sensitivity"
    question: ClassVar[str] = "How far can a change too small to see move the attributions?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Whether the map depends on anything; random images find far less than an attack."
    reference: ClassVar[str] = "Yeh et al., 2019, arXiv:1901.09392"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation for each sample."""
        return explanation * self.samples

    def score(self, explained: Explained) -> Scored:
        """The largest change of each image's attributions."""
        return Scored(changes_around(explained, self.radius, self.samples).amax(1))
