"""The gradient, its negative part cut off behind every ReLU."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_gradients


@dataclass(frozen=True)
class GuidedBackprop(Attribution):
    """Gradient of the target logit that passes ReLUs only where it is positive.

    Signed, per channel. ReLU6 counts as a ReLU; max-pools are left as they are.
    """

    reference: ClassVar[str] = "Springenberg et al., 2014, arXiv:1412.6806"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Guided gradients (batch, channel, height, width)."""
        return target_gradients(network, request.images, request.targets, "guided_backprop")

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient."""
        return Cost(1, 1)
