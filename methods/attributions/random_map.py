"""Control: no information."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request


@dataclass(frozen=True)
class RandomMap(Attribution):
    """Uniform noise, drawn for each image from its own stream.

    Values in [0, 1), one channel. What a method that knows nothing scores.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "Random"
    reference: ClassVar[str] = "Control of this project"
    control: ClassVar[bool] = True
    follows_target: ClassVar[bool] = False
    floor: ClassVar[bool] = True

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Uniform numbers (batch, 1, height, width)."""
        return request.rng.uniform((1, *request.images.shape[2:]), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """Nothing goes through the network."""
        return Cost(0, 0)
