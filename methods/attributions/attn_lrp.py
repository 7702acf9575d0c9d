"""Layer-wise relevance propagation through a transformer."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention_relevance import relevance_in_gradients
from bench.attribution.gradients import target_values
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class AttnLrp(Attribution):
    """The target logit shared out backwards through a transformer (AttnLRP).

    Epsilon rule for linear layers, with `gamma` the gamma rule, the Taylor term for a softmax, half of the relevance
    for each factor of a matrix product, the deviations of layer norms as constants, units by the identity:
    `bench.attribution.attention_relevance`. Biases, and a softmax whose Taylor term has a constant, keep a part for
    themselves; the rest adds up to the logit. Also for convolutional networks with such norms, units and gates. Its
    authors say that LRP is patented.
    """

    display: ClassVar[str] = "AttnLRP"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float32"
    reference: ClassVar[str] = "Achtibat et al., 2024, arXiv:2402.05602"

    reduction: Reduction = "sum"
    gamma: float = 0.0

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Relevances (batch, channel, height, width)."""
        images = request.images.requires_grad_()
        with relevance_in_gradients(network.name, self.gamma):
            values = target_values(network, images, request.targets)
        (gradients,) = torch.autograd.grad(values.sum(), images)
        return (gradients * images).detach()

    def cost(self, network: Network, request: Request) -> Cost:
        """One modified gradient."""
        return Cost(1, 1)
