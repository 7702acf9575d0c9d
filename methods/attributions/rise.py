"""Random masks weighted by what the network says of the masked image."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.gradients import target_values
from bench.attribution.paths import per_image, sum_over_nodes
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class Rise(Attribution):
    """Random masks averaged by the target's probability for the image behind each (RISE).

    Grids of `cells` x `cells`, each cell open with probability `open_share`, enlarged bilinearly by one cell more
    than the image holds and cut out at a random place. Masked pixels go to zero in normalised space. The masks are
    drawn once per run and shared by all images. One channel, never negative for probabilities.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "RISE"
    reference: ClassVar[str] = "Petsiuk et al., 2018, arXiv:1806.07421"

    reduction: Reduction = "sum"
    masks: int = 8000
    cells: int = 7
    open_share: float = 0.5
    output: Output = "probability"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Mean masks (batch, 1, height, width)."""
        images, targets = request.images, request.targets
        rng = request.rng.shared()
        grids = torch.from_numpy(rng.random((self.masks, self.cells, self.cells)) < self.open_share).to(images)
        shifts = torch.from_numpy(rng.random((self.masks, 2)))

        def term(owners: Tensor, node: Tensor) -> Tensor:
            masks = _enlarged(grids[node], shifts[node.cpu()], images)
            with torch.no_grad():
                values = target_values(network, images[owners] * masks, targets[owners], self.output)
            return masks * per_image(values)

        return sum_over_nodes(term, images, self.masks, network.chunk) / (self.masks * self.open_share)

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass per mask."""
        return Cost(self.masks, 0)


def _enlarged(grids: Tensor, shifts: Tensor, like: Tensor) -> Tensor:
    """Grids (batch, cells, cells) as masks (batch, 1, height, width), each moved by its share of a cell."""
    cells = grids.shape[1]
    height, width = like.shape[2:]
    tall, wide = -(-height // cells), -(-width // cells)
    masks = F.interpolate(grids[:, None], size=((cells + 1) * tall, (cells + 1) * wide), mode="bilinear")
    tops, lefts = ((shifts * torch.tensor([tall, wide])).long()).to(like.device).unbind(1)
    rows = tops[:, None] + torch.arange(height, device=like.device)
    columns = lefts[:, None] + torch.arange(width, device=like.device)
    numbers = torch.arange(len(grids), device=like.device)[:, None, None]
    return masks[numbers, 0, rows[:, :, None], columns[:, None, :]][:, None]
