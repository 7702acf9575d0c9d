"""Attention multiplied through the blocks of a transformer."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attended


@dataclass(frozen=True)
class AttentionRollout(Attribution):
    """Attention of a vision transformer multiplied through its blocks (attention rollout).

    In each block the mean over heads, half of it replaced by the identity for the skip connection; the row of the
    token that the head reads, the mean of the rows where it reads several, or what its own attention draws from them
    (`bench.attribution.attention`), enlarged bilinearly. One channel, never negative; it does not depend on the target.
    """

    reference: ClassVar[str] = "Abnar and Zuidema, 2020, arXiv:2005.00928"
    follows_target: ClassVar[bool] = False

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Rolled-out attention (batch, 1, height, width)."""
        seen = attended(network, request.images, request.targets)
        rollout = seen.reads[:, None]
        for attention in reversed(seen.attentions):
            rollout = (rollout @ attention.mean(1) + rollout) / 2
        return seen.map(rollout[:, 0], request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass, and a gradient: what the head reads."""
        return Cost(1, 1)
