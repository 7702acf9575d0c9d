"""DeepLIFT with the rescale rule."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request, UnsupportedError
from bench.attribution.gradients import target_values
from bench.attribution.rescale_rule import rescaled
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class DeepLift(Attribution):
    """Differences from a blank image, passed back by the rescale rule (DeepLIFT).

    The baseline is zero in normalised space. `bench.attribution.rescale_rule` has the rule for elementwise
    non-linearities, max-pools and products; a network with attention or layer norms is unsupported, which shows in
    attributions that do not sum to the difference of the target logit. Equals Captum's where that knows all operations,
    which it does for modules used once and windows that do not overlap.
    """

    display: ClassVar[str] = "DeepLIFT"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float32"
    reference: ClassVar[str] = "Shrikumar et al., 2017, arXiv:1704.02685"

    reduction: Reduction = "sum_absolute"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, count = request.images, len(request)
        both = torch.cat([images, torch.zeros_like(images)]).requires_grad_()
        with rescaled():
            values = target_values(network, both, request.targets.repeat(2))
            (multipliers,) = torch.autograd.grad(values.sum(), both)
        attributions = multipliers[:count] * images
        own, blank = values.detach().split(count)
        gaps = attributions.sum((1, 2, 3)) - (own - blank)
        # Beside an image that is nearly blank the rounding of the logits is large.
        rounding = 100 * torch.finfo(values.dtype).eps * (own.abs() + blank.abs())
        if (gaps.abs() > 1e-4 * attributions.abs().sum((1, 2, 3)) + rounding).any():
            raise UnsupportedError(f"DeepLIFT's rescale rule does not cover all operations of network {network.name!r}")
        return attributions

    def cost(self, network: Network, request: Request) -> Cost:
        """The image and the blank one, there and back."""
        return Cost(2, 2)
