"""How alike two maps are, image by image."""

import torch
from torch import Tensor

from bench.functional.ranking import average_ranks


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation (batch,), float64, of maps over all their dimensions but the first.

    A constant map varies with nothing: 0.

    >>> rising = torch.arange(4.0).reshape(1, 2, 2)
    >>> pearson(rising, -rising).tolist(), pearson(rising, torch.ones(1, 2, 2)).tolist()
    ([-1.0], [0.0])
    """
    one, other = deviations(first), deviations(second)
    product = one.square().sum(1) * other.square().sum(1)
    return ((one * other).sum(1) / product.clamp_min(torch.finfo(torch.float64).tiny).sqrt()).clamp(-1, 1)


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation (batch,), float64, of maps over all their dimensions but the first.

    Ties are at their mean rank; a constant map correlates with nothing: 0. NaN where a value is not finite.

    >>> rising = torch.arange(4.0).reshape(1, 2, 2)
    >>> round(spearman(rising, rising.exp()).item(), 6)
    1.0
    """
    one, other = first.flatten(1), second.flatten(1)
    finite = one.isfinite().all(1) & other.isfinite().all(1)
    return pearson(average_ranks(one), average_ranks(other)).where(finite, torch.nan)


def deviations(maps: Tensor) -> Tensor:
    """Deviations from the mean over the largest of them, float64, (batch, size), -1 to 1; 0 for a constant map.

    >>> deviations(torch.tensor([[0.0, 2.0, 4.0], [5.0, 5.0, 5.0]])).tolist()
    [[-1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    flat = maps.flatten(1).double()
    flat = flat / flat.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    constant = flat.amax(1, keepdim=True) == flat.amin(1, keepdim=True)
    deviations = torch.where(constant, 0.0, flat - flat.mean(1, keepdim=True))
    return deviations / deviations.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
