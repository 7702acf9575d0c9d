"""Completeness over planted parts (after Hesse et al., 2023)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.parts import most_parts, outputs_of, part_effects, part_shares, parts_of, scored_where, without_parts


@dataclass(frozen=True)
class PartCompleteness(Metric):
    """Whether the parts that a map names are enough for the class, needed for it, and none of them idle.

    Named is a part with more than `threshold` of the positive attribution, summed over the part with its signs; parts
    are the levels of the truth map, the rest of the image is one more. Enough: with the named parts alone the target is
    above all other outputs (1 or 0). Needed: without them it is not. Idle are parts without which no output changes:
    the share of them that is not named, 0 where nothing is. The mean of the first two, and of that and the third where
    any is idle.

    Parts go to zero in normalised space; where the data set has images without them (`funny_birds`) they go there, and
    the rest, which never goes, is not idle. Without a score where the target is not the prediction.
    """

    threshold: float = 0.05
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map name all the parts that the class needs, and no idle ones?"
    blind_spot: ClassVar[str] = "How much a named part gets; parts that say the same twice."
    reference: ClassVar[str] = "After Hesse et al., 2023, arXiv:2308.06248 (preservation, deletion, distractability)"
    needs_truth: ClassVar[bool] = True

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each part, one of the named parts alone and one without them."""
        return Cost(most_parts(request) + 2, 0)

    def score(self, explained: Explained) -> Scored:
        """One score per image; enough, needed and the share that is not named as the curve."""
        parts = parts_of(explained.truth)
        positive = part_shares(explained.attributions, parts).clamp_min(0)
        named = positive > self.threshold * positive.sum(1, keepdim=True)
        effects = part_effects(explained, parts)
        idle = (effects == 0).all(2)
        idle &= torch.arange(idle.shape[1], device=idle.device) <= parts.flatten(1).amax(1)[:, None]
        if explained.request.without is not None:
            idle[:, 0] = False  # nobody knows: there is no image without the rest
        versions = [without_parts(explained, parts, gone) for gone in (~named, named)]
        alone, without = outputs_of(explained, torch.stack(versions))
        enough, needed = _wins(alone, explained.targets).double(), (~_wins(without, explained.targets)).double()
        both, none = (enough + needed) / 2, ~idle.any(1)
        spared = ((idle & ~named & named.any(1, keepdim=True)).sum(1) / idle.sum(1)).where(~none, 1.0)
        unknown = 0 * (effects.sum((1, 2)) + (alone + without).sum(1))
        score = both.where(none, (both + spared) / 2) + unknown
        predicted = _wins(explained.clean.double(), explained.targets)
        parts_of_it = torch.stack([enough, needed, spared], 1)
        return scored_where(score, predicted, "the target is not the prediction", parts_of_it)


def _wins(outputs: Tensor, targets: Tensor) -> Tensor:
    """Whether the target is above all other outputs (batch, output), by more than rounding."""
    own = outputs.gather(1, targets[:, None])
    others = outputs.scatter(1, targets[:, None], -torch.inf).amax(1, keepdim=True)
    return (own - others > 1e-5 * outputs.abs().amax(1, keepdim=True))[:, 0]
