"""Layer-wise relevance propagation by zennit."""

import copy
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrize import is_parametrized

from bench.api import Attribution, Cost, HeatmarkError, Network, OutputKind, Request, UnsupportedError
from bench.attribution.relevance_rule import shared_relevance
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import logits_from

Composite = Literal["epsilon_plus_flat", "epsilon_plus", "epsilon_alpha2_beta1_flat", "epsilon_alpha2_beta1"]


@dataclass(frozen=True)
class Lrp(Attribution):
    """The target logit shared out backwards, layer by layer (LRP, by zennit).

    `composite` names zennit's rules: epsilon for linear layers, z-plus or alpha2-beta1 for convolutions, flat for the
    first layer. Batch norms are merged into the convolutions before them, in a copy, and the terms of sums share
    relevance (`bench.attribution.relevance_rule`). There are no rules for transformers, for features that are
    multiplied, for other norms, nor for batch norms elsewhere.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits", "logit", "labels", "number")
    display: ClassVar[str] = "LRP"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float32"
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
            what = f"the layer norms and attention of network {network.name!r}"
            raise UnsupportedError(f"zennit has no rules for {what}; attn_lrp has")
        if any(is_parametrized(part) or hasattr(part, "weight_g") for part in network.module.modules()):
            raise UnsupportedError(f"zennit has no rules for the parametrised weights of network {network.name!r}")
        name = "".join(word.capitalize() for word in self.composite.split("_"))
        images, module = request.images.requires_grad_(), copy.deepcopy(network.module)
        try:
            SequentialMergeBatchNorm().apply(module)
        except (RuntimeError, AttributeError) as error:  # sizes that differ, or a norm without weights
            raise UnsupportedError(f"LRP cannot merge the batch norms of network {network.name!r}") from error
        if _norms(module) and not _says_the_same(network, module, request.images):
            raise UnsupportedError(f"network {network.name!r} has batch norms that do not follow a convolution each")
        getattr(zennit.composites, name)().register(module)
        with shared_relevance(network.name):
            raw = replace(network, module=module).raw(images)
        wanted = nn.functional.one_hot(request.targets, logits_from(raw, network.output).shape[1]).to(raw)
        shared = (wanted * logits_from(raw.detach(), network.output)).sum(1, keepdim=True)
        start = wanted * raw.detach() if raw.shape[1] > 1 else shared
        (relevances,) = torch.autograd.grad(raw, images, start)
        return relevances

    def cost(self, network: Network, request: Request) -> Cost:
        """One modified gradient, and two passes to see whether batch norms are merged rightly."""
        return Cost(3 if _norms(network.module) else 1, 1)


def _norms(module: nn.Module) -> list[_BatchNorm]:
    return [part for part in module.modules() if isinstance(part, _BatchNorm)]


def _says_the_same(network: Network, merged: nn.Module, images: Tensor) -> bool:
    """Whether all batch norms of a copy do nothing any more, and the logits are those of the network."""
    norms = _norms(merged)
    epsilons = [norm.eps for norm in norms]
    with torch.no_grad():
        for norm in norms:
            norm.eps = 1e-30  # zennit leaves it as it was, which is no fault of the merging
        found, expected = replace(network, module=merged).raw(images), network.raw(images)
    for norm, epsilon in zip(norms, epsilons, strict=True):
        norm.eps = epsilon
    same = (found - expected).abs().max() <= 0.01 * expected.abs().max()
    scales = [scale for norm in norms for scale in (norm.running_var, norm.weight)]
    return bool(same) and all(scale is not None and torch.equal(scale, torch.ones_like(scale)) for scale in scales)
