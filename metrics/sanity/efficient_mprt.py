"""Efficient MPRT (Hedstroem et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.attribution.randomised_weights import layers_of, randomised
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class EfficientMprt(Metric):
    """Relative rise of the map's complexity when all weights of the network are drawn anew.

    Complexity: the entropy in nats of the histogram of the map's values in `bins` equal bins from its least to its
    greatest. A network without knowledge should give maps without structure, above 0. Entropies below .01 count as .01.
    """

    bins: int = 100
    display: ClassVar[str] = "Efficient MPRT"
    question: ClassVar[str] = "Is the map less ordered when the network knows nothing?"
    range: ClassVar[tuple[float, float]] = (-1.0, torch.inf)
    blind_spot: ClassVar[str] = "Where the order lies; a map that is noise before and after scores 0 as a constant one."
    reference: ClassVar[str] = "Hedstroem et al., 2024, arXiv:2401.06465; Adebayo et al., 2018, arXiv:1810.03292"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """The explanation of the network with drawn weights."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """One relative rise per image."""
        stranger = randomised(explained.network, layers_of(explained.network.module), explained.rng)
        maps = explained.method.heatmaps(explained.method.explain(stranger, explained.request))
        before, after = self._entropy(explained.heatmaps), self._entropy(maps)
        return Scored((after - before) / before.clamp_min(0.01) + 0 * maps.flatten(1).sum(1))

    def _entropy(self, maps: Tensor) -> Tensor:
        """Entropies (batch,), float64, of the values of maps (batch, height, width)."""
        bins = (min_max(maps.double().nan_to_num()).flatten(1) * self.bins).long().clamp_max(self.bins - 1)
        counts = torch.zeros(len(maps), self.bins, dtype=torch.float64, device=maps.device)
        shares = counts.scatter_add_(1, bins, torch.ones_like(bins, dtype=torch.float64)) / bins.shape[1]
        return -torch.xlogy(shares, shares).sum(1)
