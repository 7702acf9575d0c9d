"""Contrastivity over planted parts (after Hesse et al., 2023)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored, UnsupportedError
from bench.scoring.parts import most_parts, part_effects, part_shares, parts_of, scored_where


@dataclass(frozen=True)
class PartContrastivity(Metric):
    """Whether maps of two other classes each favour the part that speaks for their class.

    Of the classes that are not explained two are taken, and a part for each, such that a part does more for its class
    than for the other one: those for which the product of both differences is largest. Both are explained; 0, .5 or
    1 is for how many of the two parts the map of its class gives it more than the map of the other does. Maps count as
    shares of their absolute sum over parts, which are the levels of the truth map and the rest of the image. Without a
    score where no two parts speak for two classes, and for the truth map itself, which is that of one class.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map of a class favour the part that speaks for this class and not for another?"
    blind_spot: ClassVar[str] = "The class that is explained; by how much a part is favoured."
    reference: ClassVar[str] = "After Hesse et al., 2023, arXiv:2308.06248 (target sensitivity)"
    needs_truth: ClassVar[bool] = True

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each part, and two more explanations."""
        return explanation * 2 + Cost(most_parts(request), 0)

    def score(self, explained: Explained) -> Scored:
        """One score per image."""
        if explained.clean.shape[1] < 3:
            raise UnsupportedError("part_contrastivity needs a network with at least three outputs")
        parts = parts_of(explained.truth)
        effects = part_effects(explained, parts)
        effects = effects.scatter(2, explained.targets[:, None, None].expand(-1, effects.shape[1], 1), -torch.inf)
        classes, favoured, gap = _pair(effects)
        maps = [_explaining(explained, parts, classes[:, own]).gather(1, favoured) for own in (0, 1)]
        # Rows: which map; columns: which part.
        first, second = maps[0] - maps[1], maps[1] - maps[0]
        right = (first[:, 0] > 0).double() + (second[:, 1] > 0).double()
        if explained.method.needs_truth:
            return scored_where(right, torch.zeros_like(gap, dtype=torch.bool), "the truth is that of one class")
        unknown = 0 * (gap + first.sum(1))
        return scored_where(right / 2 + unknown, ~(gap <= 0), "no two parts speak for two classes")


def _pair(effects: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two classes (batch, 2), a part for each (batch, 2), and the product of both differences (batch,).

    Of effects (batch, part, output); for each part the class for which it does most is tried.
    """
    count = effects.shape[1]
    most, best = effects.max(2)
    # Of part p: what it does for its class more than for the class of part q, (batch, p, q).
    ahead = most[:, :, None] - effects.gather(2, best[:, None].expand(-1, count, -1))
    gap, place = (ahead.clamp_min(0) * ahead.mT.clamp_min(0)).flatten(1).max(1)
    favoured = torch.stack([place // count, place % count], 1)
    return best.gather(1, favoured), favoured, gap


def _explaining(explained: Explained, parts: Tensor, targets: Tensor) -> Tensor:
    """What the map of other outputs gives each part, (batch, part)."""
    request = replace(explained.request, targets=targets)
    return part_shares(explained.method.explain(explained.network, request), parts)
