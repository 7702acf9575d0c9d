"""Control: the edges of the image."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.api.network import pixel_scale


@dataclass(frozen=True)
class Edges(Attribution):
    """Sobel magnitude of the image, which knows nothing of the network.

    The grey image is the mean over channels of the pixels as displayed (normalisation undone). Kernels 1, 2, 1
    unscaled, borders repeated. Range [0, inf), one channel; zero for a constant image.
    """

    needs_gradient: ClassVar[bool] = False
    reference: ClassVar[str] = "Adebayo et al., 2018, arXiv:1810.03292"
    control: ClassVar[bool] = True
    follows_target: ClassVar[bool] = False

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Edge magnitude (batch, 1, height, width)."""
        images = request.images
        pixels = images * pixel_scale(images, network.preprocess)
        grey = F.pad(pixels.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        down = images.new_tensor([[-1, -2, -1], [0, 0, 0], [1, 2, 1]])
        vertical, horizontal = F.conv2d(grey, torch.stack([down, down.T])[:, None]).unbind(1)
        return torch.hypot(vertical, horizontal)[:, None]

    def cost(self, network: Network, request: Request) -> Cost:
        """Nothing goes through the network."""
        return Cost(0, 0)
