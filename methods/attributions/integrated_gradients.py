"""Gradients averaged along the straight path from a baseline."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Network, Request
from bench.heatmaps import Reduction
from bench.paths import Rule, quadrature, straight_integral


@dataclass(frozen=True)
class IntegratedGradients(Attribution):
    """Gradients of the target logit averaged from a blank image to this one, times the difference.

    The baseline is zero in normalised space, the mean colour. The attributions of an image sum to the
    difference of the target logit between image and baseline (completeness), up to the quadrature's error.
    Gauss-Legendre with 50 nodes equals Captum's default, its weights in float32 included. The default
    reduction, the absolute value of the sum over channels, is that of the GNL-IG paper (Kwon et al., 2020).
    """

    reference: ClassVar[str] = "Sundararajan et al., 2017, arXiv:1703.01365"

    reduction: Reduction = "sum_absolute"
    nodes: int = 50
    rule: Rule = "gauss_legendre"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images = request.images
        alphas, weights = quadrature(self.rule, self.nodes)
        baselines = torch.zeros_like(images)
        return straight_integral(network, images, request.targets, baselines, alphas, weights).mul_(images)
