"""Completeness gap (after Sundararajan et al., 2017)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.engine import logits_in_chunks
from bench.functional.outputs import target_outputs


@dataclass(frozen=True)
class CompletenessGap(Metric):
    """How far the sum of the attributions is from the change of the target's logit since the baseline.

    |sum - change| / (|sum| + |change|), baseline zero in normalised space: 0 when complete, 1 when the sum has the
    wrong sign or is nothing beside the change. 0 where both are zero.
    """

    question: ClassVar[str] = "Do the attributions add up to what they explain?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "Where the attributions lie; only methods with this axiom and this baseline promise it."
    reference: ClassVar[str] = "Sundararajan et al., 2017, arXiv:1703.01365"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """The blank image, once."""
        return Cost(0, 0, shared=1)

    def score(self, explained: Explained) -> Scored:
        """One gap per image."""
        blank = logits_in_chunks(explained.network, torch.zeros_like(explained.images[:1]))
        change = target_outputs((explained.clean - blank).double(), explained.targets)
        total = explained.attributions.double().flatten(1).sum(1)
        size = total.abs() + change.abs()
        return Scored(((total - change).abs() / size).where(size != 0, 0.0))
