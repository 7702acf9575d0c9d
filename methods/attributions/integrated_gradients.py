"""Gradients averaged along the straight path from a blank image."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import Backward, by_backward
from bench.attribution.paths import (
    QuadratureRule,
    adaptive_integrated_gradients,
    integrated_gradients,
    quadrature,
    rounds,
)
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class IntegratedGradients(Attribution):
    """Gradients of the target logit averaged from a blank image to this one, times the difference.

    The baseline is zero in normalised space, the mean colour. The attributions of an image sum to the
    difference of the target logit between image and baseline (completeness), up to the quadrature's error.
    Gauss-Legendre with 50 nodes equals Captum's default, its weights in float32 included. The default
    reduction, the absolute value of the sum over channels, is that of the GNL-IG paper (Kwon et al., 2020).

    With a `tolerance` above 0 the nodes of an image are doubled, from `nodes` up to `most_nodes`, until its
    attributions sum to that difference within `tolerance` times the difference. (SqueezeNet 1.1 on 100 photographs
    of Imagenette, 1% from 25 nodes: all of them, after 25 nodes in the median, 50 in the mean and 375 at most.)

    With `backward` "bf16" gradients come back in bfloat16 where the processor computes in it, after a forward pass as
    always: faster, and the ranks of pixels stay (.999 at least, or it is not done).
    """

    display: ClassVar[str] = "IG"
    reference: ClassVar[str] = "Sundararajan et al., 2017, arXiv:1703.01365"

    reduction: Reduction = "sum_absolute"
    nodes: int = 50
    quadrature: QuadratureRule = "gauss_legendre"
    tolerance: float = 0.0
    most_nodes: int = 400
    backward: Backward = "fp32"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, targets = request.images, request.targets
        baselines, network = torch.zeros_like(images), by_backward(network, images, self.backward)
        if self.tolerance > 0:
            return adaptive_integrated_gradients(
                network, images, targets, baselines, self.quadrature, self.nodes, self.most_nodes, self.tolerance
            )[0]
        return integrated_gradients(network, images, targets, baselines, quadrature(self.quadrature, self.nodes))

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per node; with a tolerance at most those of all rounds, and the outputs at both ends."""
        if self.tolerance > 0:
            nodes = sum(rounds(self.nodes, self.most_nodes))
            return Cost(nodes + 2, nodes)
        return Cost(self.nodes, self.nodes)
