"""Class activation maps weighted by their positive gradients."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class GradCamPlusPlus(Attribution):
    """Feature maps weighted by their positive gradients, place by place (Grad-CAM++).

    The closed form of the paper for a score that is the exponential of the logit; places without a gradient get no
    weight. `layer` and `layout` say which maps (`bench.attribution.class_activation.features_of`), by default the last
    of maps or tokens. One channel, never negative, enlarged bilinearly. The 1e-6 in the denominator is that of
    pytorch-grad-cam.
    """

    display: ClassVar[str] = "Grad-CAM++"
    reference: ClassVar[str] = "Chattopadhay et al., 2018, arXiv:1710.11063"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        seen = features_of(network, request.images, request.targets, self.layer, self.layout)
        gradients, maps = seen.gradients, seen.maps
        total = maps.sum((2, 3), keepdim=True)
        alphas = gradients**2 / (2 * gradients**2 + total * gradients**3 + 1e-6)
        weights = (alphas * gradients.clamp_min(0)).sum((2, 3), keepdim=True)
        return enlarged((weights * maps).sum(1, keepdim=True).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the layer."""
        return Cost(1, 1)
