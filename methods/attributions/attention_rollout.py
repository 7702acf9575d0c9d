"""Attention multiplied through the blocks of a transformer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attentions_of, class_token_map


@dataclass(frozen=True)
class AttentionRollout(Attribution):
    """Attention of a vision transformer multiplied through its blocks (attention rollout).

    In each block the mean over heads, half of it replaced by the identity for the skip connection; the row of the
    class token, enlarged bilinearly. One channel, never negative; it does not depend on the target.
    """

    reference: ClassVar[str] = "Abnar and Zuidema, 2020, arXiv:2005.00928"
    follows_target: ClassVar[bool] = False

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Rolled-out attention (batch, 1, height, width)."""
        attentions, values = attentions_of(network, request.images, request.targets)
        identity = torch.eye(attentions[0].shape[-1]).to(values)
        rollout = identity.expand(len(request), -1, -1)
        for attention in attentions:
            rollout = (attention.detach().to(values).mean(1) + identity) / 2 @ rollout
        return class_token_map(network, rollout, request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass, and a gradient as far as the last attention: which token the head reads."""
        return Cost(1, 1)
