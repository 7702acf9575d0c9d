"""R-OMS: how reliable an occlusion strategy is (Bluecher et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from bench.api import Explained, PerturbationMetric, Plan
from bench.scoring.regions import grid_cells


@dataclass(frozen=True)
class ROms(PerturbationMetric):
    """Mean probability of the target while cells of the image, in random order, are replaced by the substrate.

    Reference-out-of-model-scope score: a network that still names the class of the untouched image is shown what lies
    inside its scope. `rows` x `rows` cells (the paper: superpixels), replaced in `steps` equal steps. Curve (batch,
    steps + 1); score: its area by the trapezoid rule, pixels as shares. The heatmap plays no part: the number says how
    far to trust metrics that use this substrate, and explain the prediction to have it as published.
    """

    rows: int = 8
    steps: int = 10
    substrate: Literal["zeros", "darkest", "rise_blur", "latec_blur"] = "zeros"
    display: ClassVar[str] = "R-OMS"
    unit: ClassVar[str] = "probability of the class"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Does the network still know its class where the substrate covers parts at random?"
    blind_spot: ClassVar[str] = "The heatmap; a substrate that shows what it should hide looks reliable as well."
    reference: ClassVar[str] = "Bluecher et al., 2024, arXiv:2401.06654"

    def plan(self, height: int, width: int) -> Plan:
        """Cells in random order, whatever the map."""
        counts = tuple(round(step * height * width / self.steps) for step in range(self.steps + 1))
        return Plan(counts, "image", self.substrate, ties="first")

    def ranking(self, explained: Explained) -> Tensor:
        """A number drawn for each cell, the same for every method."""
        cells = grid_cells(explained.heatmaps, self.rows)
        drawn = explained.rng.of("cells").uniform((int(cells.max()) + 1,), explained.images.double())
        return drawn[:, cells]
