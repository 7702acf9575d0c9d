"""ROAD: remove and debias (Rong et al., 2022)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.heatmaps import ranks
from bench.functional.imputation import linear_imputation
from bench.scoring.masked_outputs import outputs_while_masked


@dataclass(frozen=True)
class Road(Metric):
    """Mean gap of the target's probability between removing the lowest and removing the highest pixels.

    Curve (batch, shares): the gap when each of `shares` of the pixels is removed; score: its mean. Removed pixels are
    imputed as weighted means of their neighbours, plus normal noise of `noise` in normalised space. Ties are broken at
    random. The paper reports accuracies for both orders; their difference is the form that needs no reference.
    """

    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    noise: float = 0.01
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "ROAD"
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does it hurt more to lose the highest pixels than the lowest, seen without holes?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Evidence that the neighbours of a removed pixel still give away."
    reference: ClassVar[str] = "Rong et al., 2022, arXiv:2202.00449"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each share and order."""
        return Cost(2 * len(self.shares), 0)

    def score(self, explained: Explained) -> Scored:
        """Gaps at each share, and their mean."""
        noise = explained.rng.of("ties").uniform(explained.heatmaps.shape[1:], explained.heatmaps)
        order = ranks(explained.heatmaps, noise)
        lowest = outputs_while_masked(explained, self._imputed(explained, order[0].numel() - 1 - order), "probability")
        highest = outputs_while_masked(explained, self._imputed(explained, order), "probability")
        return Scored((lowest - highest).mean(1), lowest - highest)

    def _imputed(self, explained: Explained, order: Tensor) -> Iterator[Tensor]:
        """The images without the first of the order, for each share."""
        images = explained.images
        for share in self.shares:
            missing = order < round(share * order[0].numel())
            noise = self.noise * explained.rng.of("imputation").normal(images.shape[1:], images, share)
            imputed = linear_imputation(images, missing)
            yield torch.where(missing[:, None], imputed + noise, images)
