"""The contract of an attribution method: signed maps of the target's output."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from bench.api.module_state import frozen_for_evaluation
from bench.api.network import Network
from bench.api.plugin import Plugin
from bench.api.request import Cost, Request
from bench.errors import HeatmarkError
from bench.functional.heatmaps import Reduction, reduce_channels
from bench.plugin_card import AttributionCard
from bench.settings import check_counts


@dataclass(frozen=True)
class Attribution(Plugin):
    """How a network is explained. `reduction` turns the signed attributions into a heatmap.

    A `control` competes with nobody: it shows what a map of known worth scores. The `floor` is the control that
    knows nothing at all, from which metrics are calibrated.

    A method that does not `follows_target` gives the same map for every target; one without `needs_gradient` takes
    no gradient of the network, so that it works where none can be taken.
    """

    reduction: Reduction = "absolute_sum"
    control: ClassVar[bool] = False
    floor: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = False
    follows_target: ClassVar[bool] = True
    needs_gradient: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_counts(self)

    @property
    def card(self) -> AttributionCard:
        """What the method says of itself under these settings."""
        return AttributionCard(
            **vars(super().card), control=self.control, floor=self.floor, needs_truth=self.needs_truth
        )

    @abstractmethod
    def attribute(self, network: Network, request: Request) -> Tensor:
        """Signed attributions (batch, channel | 1, height, width) of the target logit."""

    def cost(self, network: Network, request: Request) -> Cost | None:  # noqa: ARG002
        """Passes through the network for each image, at most where images differ; None where nobody counted."""
        return None

    @final
    def explain(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel | 1, height, width), the network and the images left as they were.

        Raises HeatmarkError naming the plug-in when it returns the wrong shape.
        """
        self.check_takes(network.output, network.name)
        if self.needs_truth and request.truth is None:
            raise HeatmarkError(f"attribution {self.name!r} needs a truth map, and this data set has none")
        parts = []
        with frozen_for_evaluation(network.module), torch.enable_grad():
            for part in request.split(network.chunk):
                attributions = self.attribute(network, part.with_images(part.images.detach().clone()))
                self._check_shape(attributions, part.images)
                parts.append(attributions.detach())
        return torch.cat(parts)

    @final
    def heatmaps(self, attributions: Tensor) -> Tensor:
        """Heatmaps (batch, height, width): the declared reduction over channels."""
        return reduce_channels(attributions, self.reduction)

    def _check_shape(self, attributions: Tensor, images: Tensor) -> None:
        batch, channels, height, width = images.shape
        allowed = {(batch, channels, height, width), (batch, 1, height, width)}
        if tuple(attributions.shape) not in allowed or not attributions.is_floating_point():
            raise HeatmarkError(
                f"attribution {self.name!r} returned {attributions.dtype} of shape {tuple(attributions.shape)}; "
                f"expected floating point of shape ({batch}, {channels} or 1, {height}, {width})"
            )
