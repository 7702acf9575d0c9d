"""Layer-wise relevance propagation by zennit."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.api import Attribution, Cost, HeatmarkError, Network, Request
from bench.errors import UnsupportedError
from bench.heatmaps import Reduction
from bench.relevance import shared_relevance

Composite = Literal["epsilon_plus_flat", "epsilon_plus", "epsilon_alpha2_beta1_flat", "epsilon_alpha2_beta1"]


@dataclass(frozen=True)
class Lrp(Attribution):
    """The target logit shared out backwards, layer by layer (LRP, by zennit).

    `composite` names zennit's rules: epsilon for linear layers, z-plus or alpha2-beta1 for convolutions, flat for
    the first layer. Batch norms are merged into the convolutions before them while this runs, and the terms of sums
    share relevance (`bench.relevance`). There are no rules for transformers, for features that are multiplied, for
    other norms, nor for batch norms elsewhere.
    """

    reference: ClassVar[str] = "Bach et al., 2015, doi:10.1371/journal.pone.0130140"

    reduction: Reduction = "sum"
    composite: Composite = "epsilon_plus_flat"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Relevances (batch, channel, height, width)."""
        try:
            import zennit.composites
            from zennit.canonizers import SequentialMergeBatchNorm
        except ImportError as error:
            raise HeatmarkError("attribution 'lrp' needs zennit: pip install \"heatmark[zennit]\"") from error
        if any(isinstance(part, nn.LayerNorm | nn.MultiheadAttention) for part in network.module.modules()):
            raise UnsupportedError(f"zennit has no rules for the layer norms and attention of network {network.name!r}")
        name = "".join(word.capitalize() for word in self.composite.split("_"))
        rules = getattr(zennit.composites, name)(canonizers=[SequentialMergeBatchNorm()])
        images = request.images.requires_grad_()
        with rules.context(network.module) as module:
            if not all(_is_merged(part) for part in module.modules() if isinstance(part, _BatchNorm)):
                raise UnsupportedError(
                    f"LRP has no rule for batch norms of network {network.name!r} behind no convolution"
                )
            with shared_relevance(network.name):
                logits = module(images)
            wanted = nn.functional.one_hot(request.targets, logits.shape[1]).to(logits)
            (relevances,) = torch.autograd.grad(logits, images, wanted * logits.detach())
        return relevances

    def cost(self, network: Network, request: Request) -> Cost:
        """One modified gradient."""
        return Cost(1, 1)


def _is_merged(norm: _BatchNorm) -> bool:
    """Whether a batch norm does nothing, as one that was merged into the layer before it."""
    scales, shifts = (norm.running_var, norm.weight), (norm.running_mean, norm.bias)
    return all((one == 1).all() for one in scales if one is not None) and not any(
        one.any() for one in shifts if one is not None
    )
