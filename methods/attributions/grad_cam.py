"""Class activation maps weighted by gradients."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class GradCam(Attribution):
    """Feature maps weighted by their mean gradients (Grad-CAM).

    Their sum, its negative part cut off. `layer` and `layout` say which maps
    (`bench.attribution.class_activation.features_of`), by default the last of maps or tokens. One channel, never
    negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "Grad-CAM"
    reference: ClassVar[str] = "Selvaraju et al., 2017, arXiv:1610.02391"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        seen = features_of(network, request.images, request.targets, self.layer, self.layout)
        weights = seen.gradients.mean((2, 3), keepdim=True)
        return enlarged((weights * seen.maps).sum(1, keepdim=True).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the layer."""
        return Cost(1, 1)
