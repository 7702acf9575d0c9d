"""Class activation maps weighted by what the network says without each."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import count_maps, enlarged, features_of, logits_without_map
from bench.attribution.paths import queue


@dataclass(frozen=True)
class AblationCam(Attribution):
    """Feature maps weighted by how much the target logit falls without each (Ablation-CAM).

    A map is set to 0 at all of its places, tokens that are no places stay. The paper divides the fall by the logit,
    which scales the whole map, and would turn its sign where the logit is negative: left out. `layer` and `layout` say
    which maps (`bench.attribution.class_activation.features_of`), by default the last of maps or tokens. One channel,
    never negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "Ablation-CAM"
    reference: ClassVar[str] = "Desai and Ramaswamy, 2020, doi:10.1109/WACV45572.2020.9093360"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        images, targets = request.images, request.targets
        seen = features_of(network, images, targets, self.layer, self.layout)
        falls = seen.maps.new_empty(seen.maps.shape[:2])
        for owners, number in queue(len(images), seen.maps.shape[1], network.chunk):
            left = logits_without_map(network, images[owners], targets[owners], self.layer, seen, number)
            falls[owners, number] = (seen.logits[owners] - left).to(falls)
        return enlarged((falls[:, :, None, None] * seen.maps).sum(1, keepdim=True).clamp_min(0), images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, to find the layer, and one pass per map."""
        return Cost(1 + count_maps(network, request, self.layer, self.layout), 1)
