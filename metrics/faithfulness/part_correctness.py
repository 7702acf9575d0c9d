"""Correctness over planted parts (after Hesse et al., 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import spearman
from bench.scoring.parts import most_parts, part_effects, part_shares, parts_of, scored_where


@dataclass(frozen=True)
class PartCorrectness(Metric):
    """Rank correlation between what a map gives each part and what the target's logit loses without that part.

    Parts are the levels of the truth map; attributions of a part are summed with their signs.

    Parts go one at a time: where the data set has images without them (`funny_birds`) there, else to zero in normalised
    space, as if they had never been there in images of `planted_parts`, and there only.
    Without a score where an image has fewer than two parts.
    """

    unit: ClassVar[str] = "rank correlation"
    question: ClassVar[str] = "Do parts get attribution in the order of what they do for the class?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "What lies outside of the parts, and by how much one part exceeds another."
    reference: ClassVar[str] = "After Hesse et al., 2023, arXiv:2308.06248 (single deletion)"
    chance: ClassVar[float | None] = 0.0
    needs_truth: ClassVar[bool] = True

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each part."""
        return Cost(most_parts(request), 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image, over the parts that it has."""
        parts = parts_of(explained.truth)
        shares, effects = part_shares(explained.attributions, parts), part_effects(explained, parts)
        own = effects.take_along_dim(explained.targets[:, None, None], 2)[:, :, 0]
        last = parts.flatten(1).amax(1)
        each = [spearman(shares[[row], 1 : end + 1], own[[row], 1 : end + 1]) for row, end in enumerate(last.tolist())]
        return scored_where(torch.cat(each), last > 1, "fewer than two parts")
