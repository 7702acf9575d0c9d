"""Infidelity (Yeh et al., 2019)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked


@dataclass(frozen=True)
class Infidelity(Metric):
    """How badly the attributions inside a random square predict the drop of the target's logit without it.

    Over `samples` squares of `side` of the image, put to zero in normalised space; every method is asked about the
    same ones. Protocol `scaled`: mean squared error after the best scaling of the attributions (the paper's, for
    maps of another unit) over the mean squared drop, in [0, 1]; `yeh2019`: the plain mean squared error.
    Attributions count as contributions (multiplied by the input), not as slopes. 1 under `scaled` where all
    attributions are zero, 0 where nothing drops.
    """

    protocol: Literal["scaled", "yeh2019"] = "scaled"
    side: float = 0.25
    samples: int = 64
    question: ClassVar[str] = "Do the attributions in a patch say what removing the patch does?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Anything finer than the squares; zeroed squares are off the data distribution."
    reference: ClassVar[str] = "Yeh et al., 2019, arXiv:1901.09392"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each square."""
        return Cost(self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One error per image."""
        squares = list(self._squares(explained))
        shown = (explained.images.masked_fill(own[:, None], 0) for own in squares)
        clean = clean_outputs(explained, "logit")
        drops = clean[:, None] - outputs_while_masked(explained, shown, "logit")
        pixels = explained.attributions.double().sum(1)
        sums = torch.stack([(pixels * own).flatten(1).sum(1) for own in squares], 1)
        if self.protocol == "yeh2019":
            return Scored((sums - drops).square().mean(1))
        sums = sums / sums.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        drops = drops / drops.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
        explainable = (sums * drops).sum(1).square() / sums.square().sum(1).clamp_min(1e-300)
        total = drops.square().sum(1)
        return Scored((1 - explainable / total.clamp_min(1e-300)).where(total != 0, 0.0).clamp(0, 1))

    def _squares(self, explained: Explained) -> Iterator[Tensor]:
        """Squares at random places, bool (batch, height, width), wholly inside the image."""
        height, width = explained.heatmaps.shape[1:]
        sides = torch.tensor([max(1, round(self.side * length)) for length in (height, width)])
        free = torch.tensor([height, width]) - sides + 1
        rows, columns = torch.arange(height)[:, None], torch.arange(width)
        for sample in range(self.samples):
            draws = explained.rng.of("squares").uniform((2,), torch.empty(0, dtype=torch.float64), sample)
            top, left = (draws * free).long()[:, :, None, None].unbind(1)
            square = (rows >= top) & (rows < top + sides[0]) & (columns >= left) & (columns < left + sides[1])
            yield square.to(explained.images.device)
