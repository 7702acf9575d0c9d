"""Smooth MPRT (Hedstroem et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.attribution.randomised_weights import layers_of, randomised
from bench.functional.map_similarity import Similarity, similarity


@dataclass(frozen=True)
class SmoothMprt(Metric):
    """Mean similarity of the heatmap to those of the network with its weights drawn anew, each without its noise.

    Each is the heatmap of the mean attribution of `samples` copies of the image with normal noise, whose standard
    deviation is `noise` times the range of the image; the copies are the same for every network. Otherwise as
    `weight_randomisation`, cascading: curve (batch, points) from the last layer down to all of them.
    """

    points: int = 5
    samples: int = 10
    noise: float = 0.1
    similarity: Similarity = "spearman"
    top: float = 0.1
    display: ClassVar[str] = "Smooth MPRT"
    question: ClassVar[str] = "Does the map, without its noise, change when what the network has learnt is taken away?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether the map was right before; a map of edges changes little and is no less right."
    reference: ClassVar[str] = "Hedstroem et al., 2024, arXiv:2401.06465"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """An explanation of each noisy copy, by the network and by each with drawn weights."""
        return explanation * (self.samples * (1 + min(self.points, len(layers_of(network.module)))))

    def score(self, explained: Explained) -> Scored:
        """Similarities at each depth, and their mean."""
        layers = layers_of(explained.network.module)[::-1]
        depths = torch.linspace(0, len(layers) - 1, min(self.points, len(layers))).round().int().tolist()
        before, curve = self._smooth(explained, explained.network), []
        for depth in depths:
            network = randomised(explained.network, layers[: depth + 1], explained.rng)
            curve.append(similarity(before, self._smooth(explained, network), self.similarity, self.top))
        return Scored(torch.stack(curve, 1).mean(1), torch.stack(curve, 1))

    def _smooth(self, explained: Explained, network: Network) -> Tensor:
        """Heatmaps (batch, height, width) of the mean attribution of the noisy copies."""
        images, total = explained.images, torch.zeros((), dtype=torch.float64, device=explained.images.device)
        spread = self.noise * (images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True))
        for sample in range(self.samples):
            copies = images + spread * explained.rng.of("copies").normal(images.shape[1:], images, sample)
            total = total + explained.method.explain(network, explained.request.with_images(copies)).double()
        return explained.method.heatmaps(total / self.samples)
