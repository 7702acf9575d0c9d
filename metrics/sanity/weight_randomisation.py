"""Model parameter randomisation (Adebayo et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.attribution.randomised_weights import layers_of, randomised
from bench.functional.map_similarity import Similarity, similarity


@dataclass(frozen=True)
class WeightRandomisation(Metric):
    """Mean similarity of the heatmap to those of the network with its weights drawn anew.

    Curve (batch, points): `cascading` randomises from the last layer down to more and more of the network,
    `independent` one layer at a time, at `points` layers evenly spaced from the last to the first. The same class
    is explained. A map that changes completely scores about 0, one that does not look at the weights 1.
    """

    order: Literal["cascading", "independent"] = "cascading"
    points: int = 5
    similarity: Similarity = "spearman"
    top: float = 0.1
    question: ClassVar[str] = "Does the map change when what the network has learnt is taken away?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether the map was right before: a random map that is drawn anew is perfect."
    reference: ClassVar[str] = "Adebayo et al., 2018, arXiv:1810.03292"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation for each network with drawn weights."""
        return explanation * min(self.points, len(layers_of(network.module)))

    def score(self, explained: Explained) -> Scored:
        """Similarities at each depth, and their mean."""
        layers = layers_of(explained.network.module)[::-1]
        depths = torch.linspace(0, len(layers) - 1, min(self.points, len(layers))).round().int().tolist()
        curve = []
        for depth in depths:
            chosen = layers[: depth + 1] if self.order == "cascading" else layers[depth : depth + 1]
            network = randomised(explained.network, chosen, explained.rng)
            maps = explained.method.heatmaps(explained.method.explain(network, explained.request))
            curve.append(similarity(explained.heatmaps, maps, self.similarity, self.top))
        return Scored(torch.stack(curve, 1).mean(1), torch.stack(curve, 1))
