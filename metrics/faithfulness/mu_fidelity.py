"""mu-Fidelity (Bhatt et al., 2020; Fel et al., 2021)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import spearman
from bench.functional.heatmaps import ranks
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import grid_cells, group_sums


@dataclass(frozen=True)
class MuFidelity(Metric):
    """Rank correlation between the attributions of random sets of cells and what the logit loses without them.

    `samples` sets, each a `share` of the `rows` x `rows` cells of the image, put to zero in normalised space; every
    method is asked about the same ones. The attributions of a set are summed with their signs.
    """

    rows: int = 9
    share: float = 0.2
    samples: int = 200
    display: ClassVar[str] = "mu-Fidelity"
    unit: ClassVar[str] = "rank correlation"
    question: ClassVar[str] = "Do the attributions of a set of cells say what taking the set away does?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Anything finer than a cell; images with holes are off the data distribution."
    reference: ClassVar[str] = "Bhatt et al., 2020, arXiv:2005.00631; Fel et al., 2021, arXiv:2111.04138"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each set."""
        return Cost(self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        cells = grid_cells(explained.heatmaps, self.rows)
        sets = list(self._sets(explained, int(cells.max()) + 1))
        shown = (explained.images.masked_fill(chosen[:, cells][:, None], 0) for chosen in sets)
        falls = clean_outputs(explained, "logit")[:, None] - outputs_while_masked(explained, shown, "logit")
        of_cells = group_sums(explained.attributions.sum(1), cells)
        sums = torch.stack([(of_cells * chosen).sum(1) for chosen in sets], 1)
        return Scored(spearman(sums, falls))

    def _sets(self, explained: Explained, cells: int) -> Iterator[Tensor]:
        """Which cells are in each set, bool (batch, cells)."""
        for sample in range(self.samples):
            drawn = explained.rng.of("sets").uniform((1, cells), explained.images.double(), sample)
            yield ranks(drawn)[:, 0] < max(1, round(self.share * cells))
