"""The first principal component of the last feature maps."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, features_of


@dataclass(frozen=True)
class EigenCam(Attribution):
    """Feature maps projected on their first right singular vector (Eigen-CAM).

    Nothing is centred, as in the paper; of both signs that one under which the map's sum is not negative, its negative
    part cut off. It does not depend on the target. `layer` and `layout` say which maps
    (`bench.attribution.class_activation.features_of`), by default the last of maps or tokens. One channel, never
    negative, enlarged bilinearly.
    """

    display: ClassVar[str] = "Eigen-CAM"
    reference: ClassVar[str] = "Muhammad and Yeasin, 2020, arXiv:2008.00299"
    follows_target: ClassVar[bool] = False

    layer: str = ""
    layout: str = ""

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Enlarged projections (batch, 1, height, width)."""
        maps = features_of(network, request.images, request.targets, self.layer, self.layout).maps
        features = maps.flatten(2).mT.double()
        first = torch.stack([_first_direction(one) for one in features])
        projected = (features @ first[:, :, None]).mT.unflatten(2, maps.shape[2:]).to(maps)
        signs = torch.where(projected.sum((2, 3), keepdim=True) < 0, -1, 1)
        return enlarged((projected * signs).clamp_min(0), request.images)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass, and a gradient as far as the last maps: which they are."""
        return Cost(1, 1)


def _first_direction(features: Tensor) -> Tensor:
    """The first right singular vector (channel,) of features (place, channel), NaN where these are not finite."""
    if not features.isfinite().all():
        return features.new_full(features.shape[1:], torch.nan)
    found: Tensor = torch.linalg.svd(features, full_matrices=False).Vh[0]
    return found
