"""Structural similarity (Wang et al., 2004) of maps, and the formula that the one of images shares with it."""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor


def ssim(first: Tensor, second: Tensor, *, window: int = 11, sigma: float | None = 1.5) -> Tensor:
    """Structural similarity (batch,), -1 to 1, of maps (batch, height, width) in [0, 1] (Wang et al., 2004).

    The mean over the windows that fit in the map; Gaussian with population covariance (as published), or,
    where `sigma` is None, flat with sample covariance (the default of scikit-image). A map smaller than the
    window gets the largest odd window that fits.

    >>> checks = (torch.arange(256).reshape(1, 16, 16) % 2).double()
    >>> round(ssim(checks, checks).item(), 6), round(ssim(checks, 1 - checks).item(), 6)
    (1.0, -0.996406)
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
    return ssim_of_moments(one * other, one**2 + other**2, covariance, variances).flatten(1).mean(1)


def ssim_of_moments(
    mean_product: Tensor, mean_squares: Tensor, covariance: Tensor, variances: Tensor, contrast: float = 1.0
) -> Tensor:
    """Luminance times structure of each window of values in [0, 1], from -1 to 1, in the shape of its arguments.

    `mean_product` is the product of both means, `mean_squares` the sum of their squares, `variances` the sum of both;
    `contrast` multiplies C2. So each caller takes local means in its own way: by convolution, by slices, by blocks.

    >>> ssim_of_moments(*torch.tensor([0.25, 0.5, 0.1, 0.2])).item()
    1.0
    """
    c1, c2 = 0.01**2, 0.03**2 * contrast
    luminance = (2 * mean_product + c1) / (mean_squares + c1)
    return luminance * ((2 * covariance + c2) / (variances + c2))


@cache
def _window(size: int, sigma: float | None) -> Tensor:
    offsets = torch.arange(size, dtype=torch.float64) - size // 2
    weights = torch.ones_like(offsets) if sigma is None else (-(offsets**2) / (2 * sigma**2)).exp()
    return weights / weights.sum()
