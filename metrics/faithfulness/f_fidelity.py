"""F-Fidelity (Zheng et al., 2025)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.heatmaps import ranks
from bench.scoring.masked_outputs import outputs_while_masked
from bench.scoring.regions import grid_cells, group_sums, turns_of_cells


@dataclass(frozen=True)
class FFidelity(Metric):
    """How much more the target's probability falls without some of the explanation than without some of the rest.

    The explanation is each of `sizes` of the `rows` x `rows` cells, those of the highest mean. From it (FFid+) and from
    the rest (FFid-) random cells are put to zero in normalised space, `samples` times: the share `removed` of the part,
    at most the share `most` of all cells, at least one. Score: mean of FFid+ less FFid- over the sizes, which are the
    curve. Meant for a network that has learnt from such images: the recipe `masked` takes one of 4 x 4 cells, as the
    defaults here do. The paper removes pixels and reports both as accuracies.
    """

    rows: int = 4
    sizes: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    removed: float = 0.5
    most: float = 0.1
    samples: int = 10
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "F-Fidelity"
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Do small holes in what the map shows hurt more than small holes elsewhere?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Evidence that is shown twice, finer order than a cell; holes the network never learnt."
    reference: ClassVar[str] = "Zheng et al., 2025, arXiv:2410.02970"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each sample of holes in each part."""
        return Cost(2 * self.samples * len(self.sizes), 0)

    def score(self, explained: Explained) -> Scored:
        """Gaps at each size, and their mean."""
        cells = grid_cells(explained.heatmaps, self.rows)
        shown = (
            explained.images.masked_fill(holes[:, cells][:, None], 0)
            for explanation in self._explanations(explained, cells)
            for part in (explanation, ~explanation)
            for holes in self._holes(explained, part)
        )
        outputs = outputs_while_masked(explained, shown, "probability")
        without, others = outputs.unflatten(1, (len(self.sizes), 2, self.samples)).mean(3).unbind(2)
        return Scored((others - without).mean(1), others - without)

    def _explanations(self, explained: Explained, cells: Tensor) -> Iterator[Tensor]:
        """Which cells the explanation is, bool (batch, cells), at each size: one at least, all but one at most."""
        count = int(cells.max()) + 1
        turns = group_sums(turns_of_cells(explained, cells), cells) / cells.flatten().bincount()
        for size in self.sizes:
            yield turns < min(max(1, round(size * count)), count - 1)

    def _holes(self, explained: Explained, part: Tensor) -> Iterator[Tensor]:
        """Which cells of a part (batch, cells) go, bool, for each sample."""
        inside, count = int(part[0].sum()), part.shape[1]
        holes = max(1, min(round(self.removed * inside), int(self.most * count)))
        for sample in range(self.samples):
            drawn = explained.rng.of("holes").uniform((1, count), torch.empty(0, dtype=torch.float64), sample)
            yield ranks(drawn.to(part.device).where(part[:, None], -1.0))[:, 0] < holes
