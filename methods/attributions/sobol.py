"""The share of an output's variance in which each cell of a grid has a part."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from scipy.stats.qmc import Sobol as SobolSequence
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.superpixels import values_behind_grids
from bench.errors import HeatmarkError
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class Sobol(Attribution):
    """Total Sobol indices of the cells of a grid: what of the output's variance they have a part in.

    `samples` masks of `cells` x `cells` numbers in [0, 1] from Sobol's sequence, not scrambled, so that there is no
    chance in it; the image is multiplied by each in normalised space. Jansen's estimator: for each cell the mean
    squared change when it alone is drawn anew, over twice the variance. The published code also asks a second set of
    masks, which this estimator does not read. Cells are enlarged bicubically. One channel, hardly ever negative.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "Sobol"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Fel et al., 2021, arXiv:2111.04138"

    reduction: Reduction = "sum"
    samples: int = 32
    cells: int = 8
    output: Output = "logit"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Total Sobol indices (batch, 1, height, width)."""
        images = request.images
        grids = torch.from_numpy(self._design()).to(images).unflatten(1, (1, self.cells, self.cells))
        values = values_behind_grids(grids, network, images, request.targets, self.output).double()
        first, changed = values[:, : self.samples], values[:, self.samples :].unflatten(1, (-1, self.samples))
        variance = first.var(1, keepdim=True)
        indices = (first[:, None] - changed).square().mean(2) / (2 * variance).where(variance > 0, 1)
        maps = indices.unflatten(1, (1, self.cells, self.cells)).to(images)
        return F.interpolate(maps, images.shape[2:], mode="bicubic")

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass per mask, and one for each of its cells drawn anew."""
        return Cost(self.samples * (1 + self.cells**2), 0)

    def _design(self) -> np.ndarray:
        """The masks, then for cell after cell the same masks with that cell drawn anew, (any, cells^2)."""
        if self.samples < 2:
            raise HeatmarkError(f"attribution 'sobol': samples {self.samples}: expected 2 or more, for a variance")
        both = SobolSequence(2 * self.cells**2, scramble=False).random_base2((self.samples - 1).bit_length())
        first, second = np.split(both[: self.samples], 2, axis=1)
        changed = np.repeat(first[None], self.cells**2, axis=0)
        cells = np.arange(self.cells**2)
        changed[cells, :, cells] = second.T
        return np.concatenate([first, changed.reshape(-1, self.cells**2)])
