"""How much an output depends on whether each cell of a grid is shown."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.superpixels import values_behind_grids
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class Hsic(Attribution):
    """Hilbert-Schmidt independence criterion between each cell of a grid, shown or not, and the output (HSIC).

    A Latin hypercube rounded to 0 and 1 shows every cell in half of the `samples`; it is drawn once per run and shared
    by all images, and hidden cells go to zero in normalised space. HSIC = trace(K H L H) / samples^2 with Dirac's
    kernel for a cell and a Gaussian one for the output, its width the median distance between two outputs (the
    published code takes the median output, which moves with a constant). Cells are enlarged bicubically. One channel,
    hardly ever negative.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "HSIC"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Novello et al., 2022, arXiv:2206.06219"

    reduction: Reduction = "sum"
    samples: int = 500
    cells: int = 8
    output: Output = "logit"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Dependences (batch, 1, height, width)."""
        images, rng = request.images, request.rng.shared()
        strata = rng.permuted(np.tile(np.arange(self.samples)[:, None], self.cells**2), axis=0)
        shown = torch.from_numpy((strata + rng.random(strata.shape)) / self.samples >= 0.5).to(images.device).double()
        grids = shown.to(images).unflatten(1, (1, self.cells, self.cells))
        values = values_behind_grids(grids, network, images, request.targets, self.output).double()
        dependence = torch.stack([_dependences(shown, own) for own in values])
        maps = dependence.unflatten(1, (1, self.cells, self.cells)).to(images)
        return F.interpolate(maps, images.shape[2:], mode="bicubic")

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass per mask."""
        return Cost(self.samples, 0)


def _dependences(shown: Tensor, values: Tensor) -> Tensor:
    """HSIC (cells,) of `values` (samples,) with each column of `shown` (samples, cells), both float64.

    Dirac's kernel of 0 and 1 is 1 - x - y + 2xy, of which centring leaves 2xy, so that the trace is a quadratic form.
    """
    distances = values[:, None] - values
    width = distances.abs().flatten().median()
    kernel = torch.exp(-0.5 * (distances / width.where(width > 0, 1)).square())
    centred = shown - shown.mean(0)
    return 2 * ((kernel @ centred) * centred).sum(0) / len(values) ** 2
