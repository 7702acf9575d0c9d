"""What the network loses when a window is blanked."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_values
from bench.attribution.paths import per_image, sum_over_nodes
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class Occlusion(Attribution):
    """How much the target logit falls when a window is blanked, averaged over the windows of a pixel.

    Square windows of `window` pixels, all channels at once, every `stride` pixels from the upper left, set to zero
    in normalised space; the last ones are cut off by the border. Windows are at most as large as the image. Signed,
    one channel. Equals Captum's, which always answers in float32.
    """

    needs_gradient: ClassVar[bool] = False
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Zeiler and Fergus, 2014, arXiv:1311.2901"

    reduction: Reduction = "sum"
    window: int = 32
    stride: int = 16

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean falls of the logit (batch, 1, height, width)."""
        images, targets = request.images, request.targets
        down, across = (self._lines(size).to(images.device) for size in images.shape[2:])
        with torch.no_grad():
            whole = target_values(network, images, targets)

        def term(owners: Tensor, node: Tensor) -> Tensor:
            windows = down[node // len(across)][:, None, :, None] & across[node % len(across)][:, None, None, :]
            with torch.no_grad():
                values = target_values(network, images[owners].masked_fill(windows, 0), targets[owners])
            return windows * per_image(whole[owners] - values)

        falls = sum_over_nodes(term, images, len(down) * len(across), network.chunk)
        return falls / (down.sum(0)[:, None] * across.sum(0))

    def cost(self, network: Network, request: Request) -> Cost:
        """The image itself, and one pass per window."""
        return Cost(1 + math.prod(len(self._lines(size)) for size in request.images.shape[2:]), 0)

    def _lines(self, size: int) -> Tensor:
        """Which pixels of a line each window covers, (windows, size), bool."""
        window, stride = min(self.window, size), min(self.stride, size)
        starts = torch.arange(1 + math.ceil((size - window) / stride))[:, None] * stride
        places = torch.arange(size)
        return (places >= starts) & (places < starts + window)
