"""Squared gradients averaged over noisy copies."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.smoothing import GradientMethod, Smoothing


@dataclass(frozen=True)
class SquareGrad(Attribution):
    """Mean of the squared attributions of noisy copies of the image (SmoothGrad-Squared).

    Never negative, per channel. `of` names the gradient method (`nodes` are those of integrated gradients),
    `nonlinearity` how gradients pass ReLUs and max-pools, `noise` the standard deviation in units of the image's range;
    see `bench.attribution.smoothing`.
    """

    display: ClassVar[str] = "SquareGrad"
    reference: ClassVar[str] = "Hooker et al., 2019, arXiv:1806.10758"

    samples: int = 50
    noise: float = 0.15
    of: GradientMethod = "gradient"
    nonlinearity: NonlinearityRule = "plain"
    nodes: int = 50

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean squares (batch, channel, height, width) in double precision."""
        # In single precision squares of gradients below 1e-19 are zero, and above 1e19 infinite.
        return self._smoothing().mean(network, request, lambda own: own.double().square())

    def cost(self, network: Network, request: Request) -> Cost:
        """What the gradient method takes, for every copy."""
        return self._smoothing().cost()

    def _smoothing(self) -> Smoothing:
        return Smoothing(self.samples, self.noise, self.of, self.nonlinearity, self.nodes)
