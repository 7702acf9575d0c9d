"""Control: a network that knows nothing."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_gradients
from bench.attribution.paths import integrated_gradients, quadrature
from bench.attribution.randomised_weights import layers_of, randomised


@dataclass(frozen=True)
class RandomisedNetwork(Attribution):
    """Gradients of the same network with random weights.

    All weights are drawn anew, once per run, with the mean and the spread of those they replace
    (`bench.attribution.randomised_weights`); the network itself stays as it is. `of` names the gradient method.
    """

    reference: ClassVar[str] = "Adebayo et al., 2018, arXiv:1810.03292"
    control: ClassVar[bool] = True

    of: Literal["gradient", "integrated_gradients"] = "gradient"
    nodes: int = 50

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        stranger = randomised(network, layers_of(network.module), request.rng)
        images, targets = request.images, request.targets
        if self.of == "gradient":
            return target_gradients(stranger, images, targets)
        nodes = quadrature("gauss_legendre", self.nodes)
        return integrated_gradients(stranger, images, targets, torch.zeros_like(images), nodes)

    def cost(self, network: Network, request: Request) -> Cost:
        """What the gradient method takes, of a network of the same size."""
        gradients = 1 if self.of == "gradient" else self.nodes
        return Cost(gradients, gradients)
