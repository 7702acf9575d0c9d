"""Integrated gradients along the path that meets the least sensitive features first."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import values_and_gradients
from bench.attribution.guided_path import GuidedPath
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class GuidedIg(Attribution):
    """Integrated gradients along a greedy path (Guided IG; not GNL-IG).

    The path runs from zero in normalised space to the image; `bench.attribution.guided_path` tells how. `max_distance`
    0 is integrated gradients by the left rule, 1 an unbounded path. Published with the softmax probability of the
    target as `output`; here the logit, as every other method of this family.
    """

    display: ClassVar[str] = "Guided IG"
    reference: ClassVar[str] = "Kapishnikov et al., 2021, arXiv:2106.09788"

    reduction: Reduction = "sum_absolute"
    steps: int = 200
    fraction: float = 0.25
    max_distance: float = 0.02
    output: Output = "logit"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, targets = request.images, request.targets
        path = GuidedPath(self.steps, self.fraction, self.max_distance)
        attributions = torch.zeros_like(images)
        for step in path.walk(
            lambda points: values_and_gradients(network, points, targets, output=self.output),
            images,
            torch.zeros_like(images),
        ):
            attributions.addcmul_(step.gradients, step.moves)
        return attributions

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per step."""
        return Cost(self.steps, self.steps)
