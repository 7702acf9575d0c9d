"""Class activation maps weighted by what the network says of the image masked by each."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import count_maps, enlarged, features_of
from bench.attribution.paths import queue
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class ScoreCam(Attribution):
    """Feature maps weighted by the target logit of the image masked with each (Score-CAM).

    Each map, enlarged bilinearly and scaled to [0, 1], multiplies the normalised image; the softmax over maps of
    the logits weights them. The published code leaves the constant logit of a blank image out, as here: it does
    not change the softmax. `layer` and `layout` say which maps (`bench.attribution.class_activation.features_of`), by
    default the last of maps or tokens. One channel, never negative.
    """

    display: ClassVar[str] = "Score-CAM"
    reference: ClassVar[str] = "Wang et al., 2020, arXiv:1910.01279"

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged class activation maps (batch, 1, height, width)."""
        images, targets = request.images, request.targets
        maps = features_of(network, images, targets, self.layer, self.layout).maps
        scores = maps.new_empty(maps.shape[:2])
        with torch.no_grad():
            for owners, number in queue(len(images), maps.shape[1], network.chunk):
                masks = min_max(enlarged(maps[owners, number][:, None], images))
                scores[owners, number] = network.logits_of(images[owners] * masks, targets[owners])
        # Softmax would leave out a masked image whose logit is minus infinity, as if it had been asked.
        weights = scores.where(scores.isfinite(), torch.nan).softmax(1)[:, :, None, None]
        return enlarged((weights * maps).sum(1, keepdim=True).clamp_min(0), images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient, to find the layer, and one pass per map."""
        return Cost(1 + count_maps(network, request, self.layer, self.layout), 1)
