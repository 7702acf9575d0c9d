"""SaCo: salience-guided faithfulness coefficient (Wu et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.concentration import fractions
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import group_sums, rank_groups, without_groups


@dataclass(frozen=True)
class Saco(Metric):
    """Does each more salient group of pixels also lower the target's probability more, in every pair of groups.

    `groups` equal groups by rank, each put to the image's mean colour by itself. A pair in which the more salient
    group costs at least as much counts its difference of salience, any other the negative of it; the score is their
    sum over the sum of all differences. 0 where all groups are equally salient.
    """

    groups: int = 10
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "SaCo"
    question: ClassVar[str] = "Does what the map calls more important matter more, group by group?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "The order inside a group; single groups of pixels are holes the network never saw."
    reference: ClassVar[str] = "Wu et al., 2024, arXiv:2404.01415"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each group."""
        return Cost(min(self.groups, request.images[0, 0].numel()), 0)

    def score(self, explained: Explained) -> Scored:
        """One coefficient per image."""
        groups = rank_groups(explained, self.groups)
        mean = explained.images.mean((2, 3), keepdim=True)
        shown = without_groups(explained.images, groups, mean)
        falls = clean_outputs(explained, "probability")[:, None] - outputs_while_masked(explained, shown, "probability")
        heights = fractions(explained.heatmaps.flatten(1)).reshape(explained.heatmaps.shape)
        salience = group_sums(heights * explained.heatmaps.sign(), groups)
        one, other = torch.triu_indices(falls.shape[1], falls.shape[1], 1, device=falls.device)
        weight = salience[:, one] - salience[:, other]
        kept = torch.where(falls[:, one] >= falls[:, other], weight, -weight) + 0 * falls.sum(1, keepdim=True)
        total = weight.abs().sum(1)
        return Scored((kept.sum(1) / total.clamp_min(1e-300)).where(total > 0, 0 * kept.sum(1)))
