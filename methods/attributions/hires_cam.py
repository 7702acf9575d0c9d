"""Class activation maps of gradients times features, place by place."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class HiresCam(Attribution):
    """Feature maps times their gradients, place by place (HiResCAM).

    The sum over maps, its negative part cut off: where the head averages the maps and is linear, what each place adds
    to the target logit. `layer` and `layout` say which maps (`bench.attribution.class_activation.features_of`), by
    default the last of maps or tokens. One channel, never negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "HiResCAM"
    reference: ClassVar[str] = "Draelos and Carin, 2020, arXiv:2011.08891"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        seen = features_of(network, request.images, request.targets, self.layer, self.layout)
        return enlarged((seen.gradients * seen.maps).sum(1, keepdim=True).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, as far as the layer."""
        return Cost(1, 1)
