"""The gradient itself."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Network, Request
from bench.paths import target_gradients


@dataclass(frozen=True)
class SimpleGradient(Attribution):
    """Gradient of the target logit with respect to the image.

    Signed, per channel, in the network's normalised input space. The default reduction, the sum of absolute
    values over channels, is AdvGrad's (arXiv:2404.04647); the original takes the maximum over channels.
    """

    reference: ClassVar[str] = "Simonyan et al., 2013, arXiv:1312.6034"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Gradients (batch, channel, height, width)."""
        return target_gradients(network, request.images, request.targets)
