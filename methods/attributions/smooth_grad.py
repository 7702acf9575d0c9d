"""Gradients averaged over noisy copies."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import Backward, by_backward
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.smoothing import GradientMethod, Smoothing


@dataclass(frozen=True)
class SmoothGrad(Attribution):
    """Mean of the attributions of noisy copies of the image (SmoothGrad).

    Signed, per channel. `of` names the gradient method (`nodes` are those of integrated gradients), `nonlinearity` how
    gradients pass ReLUs and max-pools, `noise` the standard deviation in units of the image's range; see
    `bench.attribution.smoothing`. With `backward` "bf16" gradients come back in bfloat16 where the processor computes
    in it, after a forward pass as always: faster, and the ranks of pixels stay (.999 at least, or it is not done).
    """

    display: ClassVar[str] = "SmoothGrad"
    reference: ClassVar[str] = "Smilkov et al., 2017, arXiv:1706.03825"

    samples: int = 50
    noise: float = 0.15
    of: GradientMethod = "gradient"
    nonlinearity: NonlinearityRule = "plain"
    nodes: int = 50
    backward: Backward = "fp32"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean attributions (batch, channel, height, width)."""
        ready = by_backward(network, request.images, self.backward)
        return self._smoothing().mean(ready, request, lambda attributions: attributions)

    def cost(self, network: Network, request: Request) -> Cost:
        """What the gradient method takes, for every copy."""
        return self._smoothing().cost()

    def _smoothing(self) -> Smoothing:
        return Smoothing(self.samples, self.noise, self.of, self.nonlinearity, self.nodes)
