"""How much gradients vary between noisy copies."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.smoothing import GradientMethod, Smoothing


@dataclass(frozen=True)
class VarGrad(Attribution):
    """Variance of the attributions of noisy copies of the image (VarGrad).

    Never negative, per channel; the variance of the population, divided by `samples`. `of` names the gradient method
    (`nodes` are those of integrated gradients), `nonlinearity` how gradients pass ReLUs and max-pools, `noise` the
    standard deviation in units of the image's range; see `bench.attribution.smoothing`.
    """

    display: ClassVar[str] = "VarGrad"
    reference: ClassVar[str] = "Adebayo et al., 2018, arXiv:1810.03307"

    samples: int = 50
    noise: float = 0.15
    of: GradientMethod = "gradient"
    nonlinearity: NonlinearityRule = "plain"
    nodes: int = 50

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Variances (batch, channel, height, width)."""
        return self._smoothing().variance(network, request)

    def cost(self, network: Network, request: Request) -> Cost:
        """What the gradient method takes, for every copy."""
        return self._smoothing().cost()

    def _smoothing(self) -> Smoothing:
        return Smoothing(self.samples, self.noise, self.of, self.nonlinearity, self.nodes)
