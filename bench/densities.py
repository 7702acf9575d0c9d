"""Maps as distributions over pixels, the way pysaliency makes them."""

import torch
from torch import Tensor


def density(maps: Tensor) -> Tensor:
    """Maps (batch, height, width) as float64 distributions over their pixels, (batch, pixels).

    A map with negative values is shifted to a minimum of zero first; a map of zeros becomes uniform.
    """
    flat = maps.flatten(1).double()
    largest = flat.abs().amax(1, keepdim=True)
    flat = flat / torch.where(largest > 0, largest, 1.0)
    flat = flat - flat.amin(1, keepdim=True).clamp_max(0)
    total = flat.sum(1, keepdim=True)
    return torch.where(total > 0, flat / torch.where(total > 0, total, 1.0), 1 / flat.shape[1])
