"""Control: photographers centre what they show."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request


@dataclass(frozen=True)
class Centre(Attribution):
    """Gaussian around the centre of the image, the bias of photographers.

    `sigma` is in units of the image's height (vertically) and width (horizontally). Range (0, 1], one channel,
    the same for every image.
    """

    needs_gradient: ClassVar[bool] = False
    reference: ClassVar[str] = "Tatler, 2007, doi:10.1167/7.14.4"
    control: ClassVar[bool] = True
    follows_target: ClassVar[bool] = False

    sigma: float = 0.2

    def attribute(self, network: Network, request: Request) -> Tensor:
        """The Gaussian (batch, 1, height, width)."""
        batch, _, height, width = request.images.shape
        vertical, horizontal = (self._profile(size, request.images) for size in (height, width))
        return (vertical[:, None] * horizontal).expand(batch, 1, height, width).clone()

    def cost(self, network: Network, request: Request) -> Cost:
        """Nothing goes through the network."""
        return Cost(0, 0)

    def _profile(self, size: int, like: Tensor) -> Tensor:
        offsets = torch.arange(size, dtype=like.dtype, device=like.device) - (size - 1) / 2
        return torch.exp(-0.5 * (offsets / (self.sigma * size)) ** 2)
