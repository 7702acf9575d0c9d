"""Single deletion (Hesse et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import spearman
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import grid_cells, group_sums, without_groups


@dataclass(frozen=True)
class SingleDeletion(Metric):
    """Rank correlation between the attributions of a cell and what the target's logit loses without it.

    `rows` x `rows` cells, each put to zero in normalised space by itself; the attributions of a cell are summed with
    their signs. On a network that has learnt from images without single cells (the recipe `masked`) it is the
    in-domain protocol of the paper (IDSDS): nothing it is shown is new to it.
    """

    rows: int = 4
    unit: ClassVar[str] = "rank correlation"
    question: ClassVar[str] = "Does a cell that gets more attribution cost more when it alone is gone?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Anything finer than a cell; evidence that two cells both show costs nothing."
    reference: ClassVar[str] = "Hesse et al., 2024, arXiv:2407.11910"
    chance: ClassVar[float | None] = 0.0

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each cell."""
        return Cost(int(grid_cells(request.images, self.rows).max()) + 1, 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        cells = grid_cells(explained.heatmaps, self.rows)
        shown = without_groups(explained.images, cells)
        falls = clean_outputs(explained, "logit")[:, None] - outputs_while_masked(explained, shown, "logit")
        return Scored(spearman(group_sums(explained.attributions.sum(1), cells), falls))
