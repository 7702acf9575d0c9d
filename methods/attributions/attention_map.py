"""The attention of one block, as it is."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attended, block_number


@dataclass(frozen=True)
class AttentionMap(Attribution):
    """Attention of one block of a vision transformer, mean over heads (raw attention).

    The row of the token that the head reads, or the mean of the rows where it reads several; where the head attends to
    the tokens itself, of the last block that is its attention (`bench.attribution.attention`). `block` counts from 0,
    and -1 is the last. One channel, never negative, enlarged bilinearly; it does not depend on the target.
    """

    reference: ClassVar[str] = "Dosovitskiy et al., 2021, arXiv:2010.11929"
    follows_target: ClassVar[bool] = False

    block: int = -1

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attention (batch, 1, height, width)."""
        seen = attended(network, request.images, request.targets)
        number = block_number(self.block, seen, network.name)
        if number == len(seen.attentions):  # the head's own
            return seen.map(seen.reads, request.images)
        return seen.map((seen.reads[:, None] @ seen.attentions[number].mean(1))[:, 0], request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass, and a gradient: what the head reads."""
        return Cost(1, 1)
