"""Region perturbation (Samek et al., 2017)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import grid_cells, turns_of_cells, without_first


@dataclass(frozen=True)
class RegionPerturbation(Metric):
    """Mean fall of the target's probability while regions are filled with noise, the highest on average first (AOPC).

    `rows` x `rows` regions; uniform noise between the least and the greatest value of the image, the same for every
    method. Curve (batch, steps + 1): the falls, from none; the first `steps` regions go, all where there are fewer.
    The paper: regions of 9 x 9 pixels, 100 steps.
    """

    rows: int = 10
    steps: int = 50
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "fall of the probability"
    question: ClassVar[str] = "How much of the prediction is lost with the regions the map calls important?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Anything finer than a region; noise may itself look like a class."
    reference: ClassVar[str] = "Samek et al., 2017, arXiv:1509.06321"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each step."""
        regions = int(grid_cells(request.images, self.rows).max()) + 1
        return Cost(min(self.steps, regions), 0)

    def score(self, explained: Explained) -> Scored:
        """The mean of each curve, its start counted as in the paper."""
        shown = outputs_while_masked(explained, self._perturbed(explained), "probability")
        clean = clean_outputs(explained, "probability")[:, None]
        falls = torch.cat([clean - clean, clean - shown], 1)
        return Scored(falls.mean(1), falls)

    def _perturbed(self, explained: Explained) -> Iterator[Tensor]:
        images = explained.images
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        noise = low + (high - low) * explained.rng.of("fill").uniform(images.shape[1:], images)
        turns = turns_of_cells(explained, grid_cells(images, self.rows))
        for step, shown in enumerate(without_first(images, turns, noise)):
            if step == self.steps:
                return
            yield shown
