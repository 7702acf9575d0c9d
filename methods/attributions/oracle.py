"""Control: the right answer."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, HeatmarkError, Network, Request


@dataclass(frozen=True)
class Oracle(Attribution):
    """The truth map itself, where the data set has one.

    Range [0, 1], one channel. What the best possible heatmap scores on agreement with the truth.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "Truth"
    reference: ClassVar[str] = "Control of this project"
    control: ClassVar[bool] = True
    follows_target: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Truth maps (batch, 1, height, width)."""
        if request.truth is None:
            raise HeatmarkError("attribution 'oracle' needs a truth map")
        return request.truth[:, None].to(request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """Nothing goes through the network."""
        return Cost(0, 0)
