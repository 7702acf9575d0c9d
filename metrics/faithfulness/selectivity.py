"""Selectivity (Montavon et al., 2018)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import grid_cells, turns_of_cells, without_first


@dataclass(frozen=True)
class Selectivity(Metric):
    """Area under the target's probability while patches are put to zero, the highest on average first.

    `rows` x `rows` patches, zero in normalised space. Curve (batch, patches + 1), from the whole image to none;
    score: the area by the trapezoid rule, patches as shares.
    """

    rows: int = 7
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "probability of the class"
    question: ClassVar[str] = "Does the prediction fall as soon as the patches the map calls important are gone?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "Anything finer than a patch; images with holes are off the data distribution."
    reference: ClassVar[str] = "Montavon et al., 2018, arXiv:1706.07979"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each patch."""
        return Cost(int(grid_cells(request.images, self.rows).max()) + 1, 0)

    def score(self, explained: Explained) -> Scored:
        """The area under each curve."""
        turns = turns_of_cells(explained, grid_cells(explained.heatmaps, self.rows))
        gone = outputs_while_masked(explained, without_first(explained.images, turns), "probability")
        curve = torch.cat([clean_outputs(explained, "probability")[:, None], gone], 1)
        return Scored(torch.trapezoid(curve, dx=1 / gone.shape[1], dim=1), curve)
