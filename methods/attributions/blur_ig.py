"""Integrated gradients along the path from a blurred image to the sharp one."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.blur_path import BlurPath
from bench.attribution.gradients import target_gradients
from bench.attribution.paths import per_image, sum_over_nodes
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class BlurIg(Attribution):
    """Integrated gradients along a path of ever less blurred images (Blur IG).

    Left Riemann sum over sigma, in pixels; `bench.attribution.blur_path` gives the kernels. Left out: the published
    code weights a whole batch of steps with the width of its last one, which is wrong where widths differ (`spacing =
    "sigma_squared"`). Published with the softmax probability of the target as `output`.
    """

    display: ClassVar[str] = "Blur IG"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Xu et al., 2020, arXiv:2004.03383"

    reduction: Reduction = "sum_absolute"
    max_sigma: float = 50.0
    steps: int = 100
    difference: float = 0.01
    spacing: Literal["sigma", "sigma_squared"] = "sigma"
    output: Output = "logit"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, targets = request.images, request.targets
        path = BlurPath(self.max_sigma, self.steps, self.difference, self.spacing)
        sigmas = path.sigmas().to(images.device)
        widths = sigmas.diff().to(images.dtype)

        def term(owners: Tensor, node: Tensor) -> Tensor:
            points, changes = path.blurred_and_derivative(images[owners], sigmas[node])
            gradients = target_gradients(network, points, targets[owners], output=self.output)
            return gradients.mul_(changes).mul_(per_image(-widths[node]))

        return sum_over_nodes(term, images, self.steps, network.chunk)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per step."""
        return Cost(self.steps, self.steps)
