"""Measures of concentration that metrics share."""

import torch
from torch import Tensor


def gini(values: Tensor) -> Tensor:
    """Gini index (batch,), float64, of |values| (batch, size); 0 where all are zero.

    Hurley & Rickard, 2009: 1 - 2 sum_k v_k / |v|_1 (N - k + 1/2) / N, v ascending.
    """
    ordered = fractions(values).sort(dim=1).values
    size = values.shape[1]
    weights = (size - torch.arange(size, dtype=torch.float64, device=values.device) - 0.5) / size
    return torch.where(ordered[:, -1] > 0, 1 - 2 * (ordered * weights).sum(1), 0.0).clamp_min(0)


def fractions(values: Tensor) -> Tensor:
    """|values| (batch, size), float64, over their sum; zeros where all are zero."""
    tiny = torch.finfo(torch.float64).tiny
    sizes = values.abs().double()
    sizes = sizes / sizes.amax(1, keepdim=True).clamp_min(tiny)
    return sizes / sizes.sum(1, keepdim=True).clamp_min(tiny)
