"""Gradients of what each block says of the target with respect to its attention."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.attention import gradients_of_blocks


@dataclass(frozen=True)
class Legrad(Attribution):
    """Sensitivity of every block's own answer to its attention (LeGrad).

    The network's head reads the tokens behind each block as it reads the last ones; the gradient of the target logit
    that it says with respect to that block's attention, or to the head's own attention where it has one, its positive
    part, is averaged over heads, query tokens and blocks. One channel, never negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "LeGrad"
    reference: ClassVar[str] = "Bousselham et al., 2024, arXiv:2404.03214"
    shared_passes: ClassVar[int] = 1

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Sensitivities (batch, 1, height, width)."""
        return gradients_of_blocks(network, request.images, request.targets)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass to find the blocks, and a gradient."""
        return Cost(1, 1, shared=self.shared_passes)
