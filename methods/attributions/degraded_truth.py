"""Control: the right answer, made worse by a known step."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, HeatmarkError, Network, Request


@dataclass(frozen=True)
class DegradedTruth(Attribution):
    """The truth map with a share `noise` of its pixels showing random numbers instead.

    Range [0, 1], one channel. Which pixels, and what they show, is drawn once for each image: those that are lost at
    one step are lost at every further one, so that more noise is always a worse map. In a suite with several steps the
    audit asks which metrics recover their order; it is no entry of the board.
    """

    noise: float = 0.2

    needs_gradient: ClassVar[bool] = False
    reference: ClassVar[str] = "After Zheng et al., 2025, arXiv:2410.02970"
    control: ClassVar[bool] = True
    follows_target: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.noise <= 1:
            raise ValueError(f"noise {self.noise}: expected a share between 0 and 1")

    @property
    def degraded(self) -> float:
        """The share of the pixels that are lost."""
        return self.noise

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Maps (batch, 1, height, width)."""
        if request.truth is None:
            raise HeatmarkError("attribution 'degraded_truth' needs a truth map")
        truth = request.truth[:, None].to(request.images)
        rng, shape = request.rng.of("degraded truth"), tuple(truth.shape[1:])
        lost = rng.uniform(shape, truth, "which") < self.noise
        return rng.uniform(shape, truth, "what").where(lost, truth)

    def cost(self, network: Network, request: Request) -> Cost:
        """Nothing goes through the network."""
        return Cost(0, 0)
