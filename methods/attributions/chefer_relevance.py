"""Attention weighted by its gradients, passed through the blocks of a transformer."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attended


@dataclass(frozen=True)
class CheferRelevance(Attribution):
    """Attention of a vision transformer times its positive gradients, passed through the blocks (Chefer et al.).

    In each block the mean over heads of attention times the gradient of the target logit, negative parts cut off,
    adds to the relevance between tokens; the row of the token that the head reads, the mean of the rows where it reads
    several, or what its own attention draws from them by the same rule (`bench.attribution.attention`), enlarged
    bilinearly. One channel, never negative. This is the rule for self-attention of "Generic attention-model
    explainability", which needs no LRP.
    """

    reference: ClassVar[str] = "Chefer et al., 2021, arXiv:2103.15679"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Relevance (batch, 1, height, width)."""
        seen = attended(network, request.images, request.targets)
        relevance = seen.positive_reads[:, None]
        for attention, gradient in zip(reversed(seen.attentions), reversed(seen.gradients), strict=True):
            relevance = relevance + relevance @ (attention * gradient).clamp_min(0).mean(1)
        return seen.map(relevance[:, 0], request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the first attention."""
        return Cost(1, 1)
