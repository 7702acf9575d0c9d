"""Consistency (Dasgupta et al., 2022)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, OK, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.engine import logits_in_chunks
from bench.functional.outputs import predictions
from bench.scoring.neighbourhood import drawn_references
from bench.scoring.regions import grid_cells, group_sums


@dataclass(frozen=True)
class Consistency(Metric):
    """Share of the images with the same explanation that are predicted as this image.

    Two explanations are the same where the highest of `rows` x `rows` cells is. The other images are `samples` blends
    of this one with reference images of the data set, from nearly this one to nearly the other, each explained for its
    own prediction; the paper takes data as they are. Without a score where no blend has the same explanation.
    """

    rows: int = 4
    samples: int = 20
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "share of the images"
    question: ClassVar[str] = "Do images that are explained alike get the same prediction?"
    blind_spot: ClassVar[str] = "Whether either map is right: maps that are never alike have nothing to be held to."
    reference: ClassVar[str] = "Dasgupta et al., 2022, arXiv:2202.00734"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction and one more explanation for each blend, and the explanation of the image's prediction."""
        return explanation * (self.samples + 1) + Cost(self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        images, others = explained.images, drawn_references(explained, self.samples, self.name)
        before = predictions(explained.clean)
        highest = self._highest_cell(explained, images, before)
        alike, agreeing = torch.zeros(2, len(images), dtype=torch.float64, device=images.device)
        for sample, other in enumerate(others):
            blend = torch.lerp(images, other, (sample + 0.5) / self.samples)
            predicted = predictions(logits_in_chunks(explained.network, blend))
            cell = self._highest_cell(explained, blend, predicted)
            alike += (cell == highest).double().where((predicted >= 0) & (cell >= 0), torch.nan)
            agreeing += (cell == highest) & (predicted == before)
        status = tuple(OK if own else "no other image is explained alike" for own in alike.tolist())
        return Scored(agreeing / alike, None, status)

    def _highest_cell(self, explained: Explained, images: Tensor, targets: Tensor) -> Tensor:
        """The number of the cell that gets most of the heatmap of these images and outputs, (batch,); -1 for no map."""
        request = replace(explained.request.with_images(images), targets=targets.clamp_min(0))
        maps = explained.method.heatmaps(explained.method.explain(explained.network, request))
        sums = group_sums(maps, grid_cells(maps, self.rows))
        return sums.argmax(1).where(sums.isfinite().all(1), -1)
