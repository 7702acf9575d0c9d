"""Class activation maps weighted by gradients where the features are."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class XgradCam(Attribution):
    """Feature maps weighted by the mean of their gradients, each place counted by its feature (XGrad-CAM).

    The sum over maps, its negative part cut off. A map whose features sum to nothing, as those behind a layer norm may,
    has no such mean and no weight. `layer` and `layout` say which maps
    (`bench.attribution.class_activation.features_of`), by default the last of maps or tokens. One channel, never
    negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "XGrad-CAM"
    reference: ClassVar[str] = "Fu et al., 2020, arXiv:2008.02312"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        seen = features_of(network, request.images, request.targets, self.layer, self.layout)
        totals = seen.maps.sum((2, 3), keepdim=True)
        sizes = seen.maps.abs().sum((2, 3), keepdim=True)
        means = (seen.gradients * seen.maps).sum((2, 3), keepdim=True) / totals
        weights = torch.where(totals.abs() > 1e-6 * sizes, means, 0)
        return enlarged((weights * seen.maps).sum(1, keepdim=True).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the layer."""
        return Cost(1, 1)
