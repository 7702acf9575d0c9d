"""The attention of one block times its gradients."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attended, block_number


@dataclass(frozen=True)
class GradientAttention(Attribution):
    """Attention of one block of a vision transformer times its positive gradients (gradient x attention).

    The mean over heads of attention times the positive part of the gradient of the target logit, in the row of the
    token that the head reads, or the mean of the rows where it reads several; where the head attends to the tokens
    itself, of the last block that is its attention (`bench.attribution.attention`). `block` counts from 0, and -1
    is the last. One channel, never negative, enlarged bilinearly. Grad-SAM is the mean of these maps over all blocks.
    """

    reference: ClassVar[str] = "Barkan et al., 2021, arXiv:2204.11073"

    block: int = -1

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Weighted attention (batch, 1, height, width)."""
        seen = attended(network, request.images, request.targets)
        number = block_number(self.block, seen, network.name)
        if number == len(seen.attentions):  # the head's own
            return seen.map(seen.positive_reads, request.images)
        weighted = (seen.attentions[number] * seen.gradients[number].clamp_min(0)).mean(1)
        return seen.map((seen.reads[:, None] @ weighted)[:, 0], request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the first attention."""
        return Cost(1, 1)
