"""Monotonicity correlation (Nguyen & Martinez, 2020)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.correlation import spearman
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import group_sums, rank_groups, without_groups


@dataclass(frozen=True)
class MonotonicityCorrelation(Metric):
    """Rank correlation between |heights| of groups of pixels and how unsure their values leave the output.

    `groups` equal groups of pixels by rank, each filled `samples` times with uniform noise between the least and the
    greatest value of the image; unsure: the mean square of the change of the target's probability.
    """

    groups: int = 16
    samples: int = 4
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "rank correlation"
    question: ClassVar[str] = "Does the output hang more on pixels that the map calls more important?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether a pixel speaks for the class or against it; noise is no image."
    reference: ClassVar[str] = "Nguyen & Martinez, 2020, arXiv:2007.07584"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each group and sample."""
        return Cost(min(self.groups, request.images[0, 0].numel()) * self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        images, groups = explained.images, rank_groups(explained, self.groups)
        low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
        clean, changes = clean_outputs(explained, "probability")[:, None], []
        for sample in range(self.samples):
            noise = low + (high - low) * explained.rng.of("fill").uniform(images.shape[1:], images, sample)
            filled = outputs_while_masked(explained, without_groups(images, groups, noise), "probability")
            changes.append((filled - clean).square())
        heights = group_sums(explained.heatmaps.double().abs(), groups)
        return Scored(spearman(heights, torch.stack(changes).mean(0)))
