"""How alike two maps are, image by image."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.functional.ranking import average_ranks


def pearson(first: Tensor, second: Tensor) -> Tensor:
    """Pearson correlation (batch,), float64, of maps over all their dimensions but the first.

    A constant map varies with nothing: 0.
    """
    one, other = deviations(first), deviations(second)
    product = one.square().sum(1) * other.square().sum(1)
    return ((one * other).sum(1) / product.clamp_min(torch.finfo(torch.float64).tiny).sqrt()).clamp(-1, 1)


def spearman(first: Tensor, second: Tensor) -> Tensor:
    """Spearman's rank correlation (batch,), float64, ties at their mean rank; a constant map: 0."""
    return pearson(average_ranks(first.flatten(1)), average_ranks(second.flatten(1)))


def ssim(first: Tensor, second: Tensor, *, window: int = 11, sigma: float | None = 1.5) -> Tensor:
    """Structural similarity (batch,) of maps (batch, height, width) in [0, 1] (Wang et al., 2004).

    The mean over the windows that fit in the map; Gaussian with population covariance (as published), or,
    where `sigma` is None, flat with sample covariance (the default of scikit-image). A map smaller than the
    window gets the largest odd window that fits.
    """
    window = min(window, *(side - (side + 1) % 2 for side in first.shape[1:]))
    weights = _window(window, sigma).to(first)
    unbiased = 1.0 if sigma is not None or window == 1 else window**2 / (window**2 - 1)
    stacked = torch.stack([first, second, first**2, second**2, first * second], 1)
    kernel = weights.expand(5, 1, -1)
    rows = F.conv2d(stacked, kernel[:, :, None, :], groups=5)
    one, other, one_squared, other_squared, product = F.conv2d(rows, kernel[:, :, :, None], groups=5).unbind(1)
    variances = unbiased * (one_squared - one**2 + other_squared - other**2)
    covariance = unbiased * (product - one * other)
    luminance = (2 * one * other + 0.01**2) / (one**2 + other**2 + 0.01**2)
    structure = (2 * covariance + 0.03**2) / (variances + 0.03**2)
    return (luminance * structure).flatten(1).mean(1)


def deviations(maps: Tensor) -> Tensor:
    """Deviations from the mean over the largest of them; exactly zero for a constant map."""
    flat = maps.flatten(1).double()
    flat = flat / flat.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    constant = flat.amax(1, keepdim=True) == flat.amin(1, keepdim=True)
    deviations = torch.where(constant, 0.0, flat - flat.mean(1, keepdim=True))
    return deviations / deviations.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


@cache
def _window(size: int, sigma: float | None) -> Tensor:
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.ones_like(offsets) if sigma is None else (-(offsets**2) / (2 * sigma**2)).exp()
    return weights / weights.sum()
