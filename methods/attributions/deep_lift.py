"""DeepLIFT by Captum."""

import warnings
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, HeatmarkError, Network, Request
from bench.errors import UnsupportedError
from bench.heatmaps import Reduction


@dataclass(frozen=True)
class DeepLift(Attribution):
    """Differences from a blank image, passed back by the rescale rule (DeepLIFT, by Captum).

    The baseline is zero in normalised space. The rule knows module non-linearities used once (ReLU, sigmoid, tanh,
    ... and max-pools); where Captum refuses, or where the attributions do not sum to the difference of the target
    logit because it took a plain gradient without saying so, the network is unsupported.
    """

    reference: ClassVar[str] = "Shrikumar et al., 2017, arXiv:1704.02685"

    reduction: Reduction = "sum_absolute"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        try:
            import captum.attr
        except ImportError as error:
            raise HeatmarkError("attribution 'deep_lift' needs Captum: pip install \"heatmark[captum]\"") from error
        images = request.images
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces its own hooks
            try:
                attributions, gap = captum.attr.DeepLift(network.module).attribute(
                    images, torch.zeros_like(images), target=request.targets, return_convergence_delta=True
                )
            except (AssertionError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise UnsupportedError(f"Captum's DeepLIFT refuses network {network.name!r}: {reason}") from error
        if (gap.abs() > 0.01 * attributions.abs().sum((1, 2, 3))).any():
            raise UnsupportedError(f"Captum's DeepLIFT does not see all non-linearities of network {network.name!r}")
        return torch.as_tensor(attributions.detach())

    def cost(self, network: Network, request: Request) -> Cost:
        """The image and the blank one, there and back, and again to see that nothing is missing."""
        return Cost(4, 2)
