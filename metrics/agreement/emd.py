"""Earth mover's distance to the truth map."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from scipy.stats import wasserstein_distance_nd

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import density
from bench.scoring.regions import grid_cells, group_sums


@dataclass(frozen=True)
class Emd(Metric):
    """How far the heatmap's mass has to be moved to lie as the truth's does.

    Both count as distributions over `rows` x `rows` cells of the image (a map with negative values is shifted to zero
    first, one of zeros is uniform); a move across the whole height, or the whole width, has length 1.
    """

    rows: int = 8
    display: ClassVar[str] = "EMD"
    unit: ClassVar[str] = "sides of the image"
    question: ClassVar[str] = "How far is the map's mass from where the truth's is?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 2**0.5)
    blind_spot: ClassVar[str] = "What lies inside a cell; mass in the middle is never far from anything."
    reference: ClassVar[str] = "Bylinskii et al., 2019, arXiv:1604.03605; Rubner et al., 2000"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One distance per image."""
        cells = grid_cells(explained.heatmaps, self.rows)
        own, truth = (
            group_sums(density(maps).reshape(maps.shape), cells).cpu().numpy()
            for maps in (explained.heatmaps, explained.truth)
        )
        down, across = (min(self.rows, size) for size in cells.shape)
        places = np.argwhere(np.ones((down, across))) / (down, across)
        far = [wasserstein_distance_nd(places, places, one, other) for one, other in zip(own, truth, strict=True)]
        return Scored(torch.tensor(far, dtype=torch.float64))
