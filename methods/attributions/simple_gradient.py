"""The gradient itself."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_gradients
from bench.attribution.guided_rules import NonlinearityRule


@dataclass(frozen=True)
class SimpleGradient(Attribution):
    """Gradient of the target logit with respect to the image.

    Signed, per channel, in the network's normalised input space. The default reduction, the sum of absolute
    values over channels, is AdvGrad's (arXiv:2404.04647); the original takes the maximum over channels.
    `nonlinearity` is how gradients pass ReLUs and max-pools (`bench.attribution.guided_rules`).
    """

    display: ClassVar[str] = "Gradient"
    reference: ClassVar[str] = "Simonyan et al., 2013, arXiv:1312.6034"

    nonlinearity: NonlinearityRule = "plain"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Gradients (batch, channel, height, width)."""
        return target_gradients(network, request.images, request.targets, self.nonlinearity)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient."""
        return Cost(1, 1)
