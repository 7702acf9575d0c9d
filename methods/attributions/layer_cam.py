"""Class activation maps weighted place by place."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class LayerCam(Attribution):
    """Feature maps times their positive gradients, place by place (Layer-CAM).

    The sum over maps, its negative part cut off. `layer` and `layout` say which maps
    (`bench.attribution.class_activation.features_of`), by default the last of maps or tokens. One channel, never
    negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "LayerCAM"
    reference: ClassVar[str] = "Jiang et al., 2021, doi:10.1109/TIP.2021.3089943"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        seen = features_of(network, request.images, request.targets, self.layer, self.layout)
        products = seen.gradients.clamp_min(0) * seen.maps
        return enlarged(products.sum(1, keepdim=True).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the layer."""
        return Cost(1, 1)
