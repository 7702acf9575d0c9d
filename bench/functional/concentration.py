"""How concentrated a map is: as a distribution over pixels, and its Gini index."""

import torch
from torch import Tensor


def density(maps: Tensor) -> Tensor:
    """Maps (batch, height, width) as float64 distributions over their pixels, (batch, pixels).

    A map with negative values is shifted to a minimum of zero first; a map of zeros becomes uniform.

    >>> density(torch.tensor([[[-1.0, 0.0]], [[0.0, 0.0]], [[1.0, 3.0]]])).tolist()
    [[0.0, 1.0], [0.5, 0.5], [0.25, 0.75]]
    """
    flat = maps.flatten(1).double()
    largest = flat.abs().amax(1, keepdim=True)
    flat = flat / torch.where(largest > 0, largest, 1.0)
    flat = flat - flat.amin(1, keepdim=True).clamp_max(0)
    total = flat.sum(1, keepdim=True)
    return torch.where(total > 0, flat / torch.where(total > 0, total, 1.0), 1 / flat.shape[1])


def gini(values: Tensor) -> Tensor:
    """Gini index (batch,), float64, from 0 to 1 - 1 / size, of |values| (batch, size); 0 where all are zero.

    Hurley & Rickard, 2009, arXiv:0811.4706: 1 - 2 sum_k v_k / |v|_1 (N - k + 1/2) / N, v ascending.

    >>> gini(torch.tensor([[0.0, 0.0, 0.0, -1.0], [1.0, 1.0, 1.0, 1.0]])).tolist()
    [0.75, 0.0]
    """
    ordered = fractions(values).sort(dim=1).values
    size = values.shape[1]
    weights = (size - torch.arange(size, dtype=torch.float64, device=values.device) - 0.5) / size
    return torch.where(ordered[:, -1] > 0, 1 - 2 * (ordered * weights).sum(1), 0.0).clamp_min(0)


def fractions(values: Tensor) -> Tensor:
    """|values| (batch, size), float64, over their sum; zeros where all are zero.

    >>> fractions(torch.tensor([[1.0, -3.0], [0.0, 0.0]])).tolist()
    [[0.25, 0.75], [0.0, 0.0]]
    """
    tiny = torch.finfo(torch.float64).tiny
    sizes = values.abs().double()
    sizes = sizes / sizes.amax(1, keepdim=True).clamp_min(tiny)
    return sizes / sizes.sum(1, keepdim=True).clamp_min(tiny)
