"""DiFull: networks of which each output sees one cell of the image only (Rao et al., 2022)."""

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Cost, Explained, HeatmarkError, Metric, Network, Request, Scored, UnsupportedError
from bench.scoring.changed_networks import Separated
from bench.scoring.regions import grid_cells, group_sums


@dataclass(frozen=True)
class Difull(Metric):
    """Share of the positive attribution in the only cell of the image that the explained output can see.

    The network is shown the cells of a `rows` x `rows` mosaic (the data set `grid`) one by one, and has all its outputs
    once for each cell: what lies elsewhere cannot have moved the output. The map of the target at the cell that holds
    most of the truth is made anew; attributions are summed over channels with their signs, negative ones do not count.
    Without a positive one: one over the number of cells, which is also chance. Cells are shown as they are, or enlarged
    to `size` for a network that takes one size only; rows and columns that are left over at the edges nobody sees. Not
    for methods that look at a layer.
    """

    rows: int = 2
    size: int = 0
    display: ClassVar[str] = "DiFull"
    unit: ClassVar[str] = "share of the positive attribution"
    question: ClassVar[str] = "Does the map stay inside the part of the image that the network can see?"
    blind_spot: ClassVar[str] = "Where in the cell it lies; gradients stay inside by construction."
    reference: ClassVar[str] = "Rao et al., 2022, arXiv:2205.10435"
    needs_truth: ClassVar[bool] = True

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation, of the cells; passes count cells."""
        return explanation * self.rows**2

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        network, method, request = explained.network, explained.method, explained.request
        if any(field.name == "layer" for field in fields(method)):
            raise UnsupportedError(f"difull explains at the image, and {method.name} looks at a layer")
        height, width = (side // self.rows for side in explained.images.shape[2:])
        whole = explained.truth[:, : self.rows * height, : self.rows * width]
        cells = grid_cells(whole, self.rows)
        seen = group_sums(whole, cells).argmax(1)
        module = Separated(network.module, self.rows, (height, width), self.size)
        # Enlarged cells take as much memory as images, all others as much as their image together.
        chunk = max(1, network.chunk // self.rows**2) if self.size else network.chunk
        own = replace(network, module=module, label_map=None, compiler="none", chunk=chunk)
        heads = replace(request, targets=seen * explained.clean.shape[1] + request.targets)
        positive = self._maps(explained, own, heads).double().sum(1).clamp_min(0)
        inside = positive[:, : self.rows * height, : self.rows * width] * (cells == seen[:, None, None])
        total = positive.flatten(1).sum(1)
        chance = torch.full_like(total, 1 / self.rows**2)
        return Scored(torch.where(total == 0, chance, inside.flatten(1).sum(1) / total))

    def _maps(self, explained: Explained, network: Network, request: Request) -> Tensor:
        """Attributions of a network of separate cells; UnsupportedError where the method cannot make them."""
        try:
            return explained.method.explain(network, request)
        except (torch.OutOfMemoryError, UnsupportedError):
            raise
        except (RuntimeError, HeatmarkError) as error:  # the second where an image has as many maps as cells
            raise UnsupportedError(
                f"attribution {explained.method.name!r} cannot explain a network that sees the cells of an image one "
                f"by one: {str(error).splitlines()[0]}"
            ) from error
