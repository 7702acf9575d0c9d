"""The image times its gradient."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_gradients
from bench.attribution.guided_rules import NonlinearityRule


@dataclass(frozen=True)
class InputXGradient(Attribution):
    """Each pixel times the gradient of the target logit.

    Signed, per channel, the pixel in the network's normalised input space. `nonlinearity` is how gradients pass
    ReLUs and max-pools (`bench.attribution.guided_rules`).
    """

    display: ClassVar[str] = "Input x gradient"
    reference: ClassVar[str] = "Shrikumar et al., 2016, arXiv:1605.01713"

    nonlinearity: NonlinearityRule = "plain"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Pixel times gradient (batch, channel, height, width)."""
        return request.images * target_gradients(network, request.images, request.targets, self.nonlinearity)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient."""
        return Cost(1, 1)
