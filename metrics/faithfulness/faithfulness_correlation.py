"""Faithfulness Correlation (Bhatt et al., 2020)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import pearson
from bench.functional.heatmaps import ranks
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked


@dataclass(frozen=True)
class FaithfulnessCorrelation(Metric):
    """Correlation between the attributions of random sets of pixels and what the logit loses without them.

    `samples` sets of `size` pixels (all channels together, at most half of the image), put to zero in normalised
    space; every method is asked about the same ones. Attributions are summed with their signs.
    """

    size: int = 224
    samples: int = 100
    unit: ClassVar[str] = "correlation"
    question: ClassVar[str] = "Do the attributions of a set of pixels say what taking the set away does?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Scattered holes are no image: what they take is not what a region shows."
    reference: ClassVar[str] = "Bhatt et al., 2020, arXiv:2005.00631"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each set."""
        return Cost(self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        sets = list(self._sets(explained))
        shown = (explained.images.masked_fill(chosen[:, None], 0) for chosen in sets)
        falls = clean_outputs(explained, "logit")[:, None] - outputs_while_masked(explained, shown, "logit")
        pixels = explained.attributions.double().sum(1)
        return Scored(pearson(torch.stack([(pixels * chosen).flatten(1).sum(1) for chosen in sets], 1), falls))

    def _sets(self, explained: Explained) -> Iterator[Tensor]:
        """Which pixels are in each set, bool (batch, height, width)."""
        shape = explained.heatmaps.shape[1:]
        size = min(self.size, shape.numel() // 2)
        for sample in range(self.samples):
            yield ranks(explained.rng.of("sets").uniform(shape, explained.images.double(), sample)) < size
