"""Differentiable measures of images and pairs of images, one number per image, safe where a map is constant.

Images are (batch, channel, height, width), results (batch,). A map counts as constant when its range is
within rounding of zero: it is min-max normalised to 0, correlates with nothing (0), and passes no gradient,
where the formulas would divide by 0. Everywhere else the value is the formula's.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.errors import HeatmarkError
from bench.functional.structural_similarity import ssim_of_moments

_JPEG_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_LUMA = (0.299, 0.587, 0.114)


def varies(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Whether values differ along `dims` (kept, with length 1) by more than rounding, bool.

    >>> varies(torch.tensor([[1.0, 2.0], [3.0, 3.0]]), (1,)).tolist()
    [[True], [False]]
    """
    precision = torch.finfo(values.dtype)
    spread = values.detach().amax(dims, keepdim=True) - values.detach().amin(dims, keepdim=True)
    return spread > precision.eps * values.detach().abs().amax(dims, keepdim=True) + precision.tiny / precision.eps


def normalised(images: Tensor) -> Tensor:
    """Images (batch, channel, height, width) scaled to [0, 1], each by its range over channels and pixels.

    Differentiable; a constant image becomes 0.

    >>> normalised(torch.tensor([-1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 2, 2)).flatten().tolist()
    [0.0, 0.25, 0.5, 1.0]
    """
    low = images.amin((1, 2, 3), keepdim=True)
    spread = images.amax((1, 2, 3), keepdim=True) - low
    valid = varies(images, (1, 2, 3))
    return torch.where(valid, (images - low) / torch.where(valid, spread, 1), 0)


def squared_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Squared Pearson correlation over pixels (batch,), 0 to 1, the mean over channels.

    >>> image = torch.arange(8.0).reshape(1, 2, 2, 2)
    >>> round(squared_correlation(image, 3 - image).item(), 6)
    1.0
    """
    valid = varies(first, (2, 3)) & varies(second, (2, 3))
    first, second = (_centred(images) for images in (first, second))
    squares = first.square().sum((2, 3), keepdim=True) * second.square().sum((2, 3), keepdim=True)
    product = (first * second).sum((2, 3), keepdim=True).square()
    return torch.where(valid, product / torch.where(valid, squares, 1), 0).mean((1, 2, 3))


def total_variation(images: Tensor) -> Tensor:
    """Anisotropic total variation (batch,), from 0: the sum of absolute differences of neighbours.

    Rudin, Osher & Fatemi, 1992.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]])).tolist()
    [6.0]
    """
    down, right = _differences(images)
    return down.abs().sum((1, 2, 3)) + right.abs().sum((1, 2, 3))


def gradient_difference(first: Tensor, second: Tensor) -> Tensor:
    """The L2 norm (batch,), from 0, of the difference of both images' forward differences.

    After Mathieu et al., 2016, arXiv:1511.05440.

    >>> gradient_difference(torch.tensor([[[[0.0, 3.0], [4.0, 7.0]]]]), torch.zeros(1, 1, 2, 2)).tolist()
    [7.071067810058594]
    """
    down, right = _differences(first - second)
    norms: Tensor = torch.linalg.vector_norm(torch.cat([down.flatten(1), right.flatten(1)], 1), dim=1)
    return norms


def sobel_difference(first: Tensor, second: Tensor) -> Tensor:
    """The summed squared difference (batch,), from 0, of Sobel responses: borders reflected, kernels unscaled.

    At least 2 x 2 pixels, else HeatmarkError.

    >>> edge = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 3, 4)
    >>> sobel_difference(edge, torch.zeros_like(edge)).tolist()
    [96.0]
    """
    return _sobel(first - second).square().sum((1, 2, 3))


def inverse_psnr(first: Tensor, second: Tensor) -> Tensor:
    """1 / PSNR in decibels (batch,) for values in [0, 1]; 0 for equal images, at most 100.

    >>> round(inverse_psnr(torch.full((1, 1, 4, 4), 0.1), torch.zeros(1, 1, 4, 4)).item(), 6)
    0.05
    """
    return _inverse_decibels((first - second).square().mean((1, 2, 3)))


def inverse_psnr_hvs(first: Tensor, second: Tensor) -> Tensor:
    """1 / PSNR-HVS in decibels of the luminance (batch,), for values in [0, 1]; 0 for equal images, at most 100.

    Differences are weighted by contrast sensitivity in the DCT of 8 x 8 blocks (Egiazarian et al., 2006): the
    inverse JPEG luminance table, scaled to a root mean square of 1. Blocks do not overlap and a remainder is
    dropped, as in the authors' program; their paper's formula sums over every position of the block. Images have 1 or
    3 channels and at least 8 x 8 pixels, else HeatmarkError.

    >>> image = torch.linspace(0, 1, 64).reshape(1, 1, 8, 8)
    >>> inverse_psnr_hvs(image, image).tolist()
    [0.0]
    """
    coefficients = _weighted_dct(_luminance(first - second))
    return _inverse_decibels(coefficients.square().flatten(1).mean(1))


def image_ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (batch,), -1 to 1, of images (batch, channel, height, width) in [0, 1], differentiable.

    As tf.image.ssim (Wang et al., 2004): a Gaussian window of 11, sigma 1.5, whole windows only, the mean over
    windows and channels.

    >>> checks = (torch.arange(256).reshape(1, 1, 16, 16) % 2).double()
    >>> round(image_ssim(checks, checks).item(), 6), round(image_ssim(checks, 1 - checks).item(), 6)
    (1.0, -0.996406)
    """
    _at_least(first, 11)
    weights = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-5, 6)]
    weights = [weight / sum(weights) for weight in weights]
    return _of_images(first, second, lambda maps: _filtered(_filtered(maps, weights, 2), weights, 3), 1.0)


def image_ssim_unfiltered(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity (batch,), -1 to 1, of images in [0, 1] over 8 x 8 windows that do not overlap.

    As google-research's "optimizing interpretability" publishes it: flat windows, a remainder of pixels is dropped
    and C2 is multiplied by 63/64.

    >>> checks = (torch.arange(256).reshape(1, 1, 16, 16) % 2).double()
    >>> round(image_ssim_unfiltered(checks, 1 - checks).item(), 4)
    -0.9965
    """
    _at_least(first, 8)
    return _of_images(first, second, lambda maps: F.avg_pool2d(maps, 8), 63 / 64)


def _of_images(first: Tensor, second: Tensor, local_mean: Callable[[Tensor], Tensor], contrast: float) -> Tensor:
    mean_product = local_mean(first) * local_mean(second)
    mean_squares = local_mean(first).square() + local_mean(second).square()
    product, squares = local_mean(first * second), local_mean(first.square() + second.square())
    covariance, variances = product - mean_product, squares - mean_squares
    return ssim_of_moments(mean_product, mean_squares, covariance, variances, contrast).mean((1, 2, 3))


def _centred(images: Tensor) -> Tensor:
    """Each channel minus its mean, over its largest size: the same correlation, and squares that do not underflow."""
    centred = images - images.mean((2, 3), keepdim=True)
    largest = centred.detach().abs().amax((2, 3), keepdim=True)
    return centred / torch.where(largest > 0, largest, 1)


def _differences(images: Tensor) -> tuple[Tensor, Tensor]:
    return images.diff(dim=2), images.diff(dim=3)


def _sobel(images: Tensor) -> Tensor:
    """Both directions' responses, one after the other along the channels."""
    _at_least(images, 2)
    padded = F.pad(images, (1, 1, 1, 1), mode="reflect")
    smooth, slope = (1.0, 2.0, 1.0), (-1.0, 0.0, 1.0)
    vertical = _filtered(_filtered(padded, slope, 2), smooth, 3)
    horizontal = _filtered(_filtered(padded, smooth, 2), slope, 3)
    return torch.cat([vertical, horizontal], 1)


def _filtered(maps: Tensor, weights: Sequence[float], dim: int) -> Tensor:
    """Weighted sums along one side, whole windows only.

    Sums of slices, because convolutions may round to TF32 on a GPU, which the variances of SSIM do not survive.
    """
    length = maps.shape[dim] - len(weights) + 1
    terms = [weight * maps.narrow(dim, start, length) for start, weight in enumerate(weights)]
    return torch.stack(terms).sum(0)


def _inverse_decibels(error: Tensor) -> Tensor:
    """1 / (-10 log10 error); an error of rounding size is none, and one near or over 1 gives 100."""
    valid = error > torch.finfo(error.dtype).eps ** 2
    decibels = -10 * torch.where(valid, error, 1).log10()
    return torch.where(valid, 1 / decibels.clamp_min(0.01), 0)


def _luminance(images: Tensor) -> Tensor:
    _at_least(images, 8)
    channels = images.shape[1]
    if channels == 1:
        return images
    if channels != 3:
        raise HeatmarkError(f"regulariser 'psnr_hvs' needs the luminance of 1 or 3 channels, and there are {channels}")
    return (images * images.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _weighted_dct(maps: Tensor) -> Tensor:
    """Orthonormal DCT-II of the whole 8 x 8 blocks of maps (batch, 1, height, width), times the sensitivity."""
    frequency, position = torch.arange(8, dtype=torch.float64)[:, None], torch.arange(8, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * position + 1) * frequency / 16) / 2
    basis[0] /= math.sqrt(2)
    sensitivity = 1 / torch.tensor(_JPEG_LUMINANCE, dtype=torch.float64)
    sensitivity = sensitivity / sensitivity.square().mean().sqrt()
    basis, sensitivity = basis.to(maps), sensitivity.to(maps)
    blocks = maps.unfold(2, 8, 8).unfold(3, 8, 8)
    return basis @ blocks @ basis.T * sensitivity


def _at_least(images: Tensor, side: int) -> None:
    if min(images.shape[-2:]) < side:
        height, width = images.shape[-2:]
        raise HeatmarkError(f"this similarity needs images of at least {side} x {side} pixels, not {height} x {width}")
