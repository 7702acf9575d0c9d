"""Attention weighted by its gradients, passed through the blocks of a transformer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import attentions_of, class_token_map


@dataclass(frozen=True)
class CheferRelevance(Attribution):
    """Attention of a vision transformer times its positive gradients, passed through the blocks (Chefer et al.).

    In each block the mean over heads of attention times the gradient of the target logit, negative parts cut off,
    adds to the relevance between tokens; the row of the class token, enlarged bilinearly. One channel, never
    negative. This is the rule for self-attention of "Generic attention-model explainability", which needs no LRP.
    """

    reference: ClassVar[str] = "Chefer et al., 2021, arXiv:2103.15679"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Relevance (batch, 1, height, width)."""
        attentions, values = attentions_of(network, request.images, request.targets)
        gradients = torch.autograd.grad(values.sum(), attentions)
        relevance = torch.eye(attentions[0].shape[-1]).to(values).expand(len(request), -1, -1)
        for attention, gradient in zip(attentions, gradients, strict=True):
            raised = (attention.detach().to(values) * gradient.to(values)).clamp_min(0)
            relevance = relevance + raised.mean(1) @ relevance
        return class_token_map(network, relevance, request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient as far as the first attention, and one as far as the last: which token the head reads."""
        return Cost(1, 2)
