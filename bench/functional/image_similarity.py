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
    """Whether values differ along `dims` (kept, with length 1) by more than rounding."""
    precision = torch.finfo(values.dtype)
    spread = values.detach().amax(dims, keepdim=True) - values.detach().amin(dims, keepdim=True)
    return spread > precision.eps * values.detach().abs().amax(dims, keepdim=True) + precision.tiny / precision.eps


def normalised(images: Tensor) -> Tensor:
    """Images scaled to [0, 1], each by its own range over channels and pixels."""
    low = images.amin((1, 2, 3), keepdim=True)
    spread = images.amax((1, 2, 3), keepdim=True) - low
    valid = varies(images, (1, 2, 3))
    return torch.where(valid, (images - low) / torch.where(valid, spread, 1), 0)


def squared_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Squared Pearson correlation over pixels, the mean over channels."""
    valid = varies(first, (2, 3)) & varies(second, (2, 3))
    first, second = (_centred(images) for images in (first, second))
    squares = first.square().sum((2, 3), keepdim=True) * second.square().sum((2, 3), keepdim=True)
    product = (first * second).sum((2, 3), keepdim=True).square()
    return torch.where(valid, product / torch.where(valid, squares, 1), 0).mean((1, 2, 3))


def total_variation(images: Tensor) -> Tensor:
    """Anisotropic total variation: the sum of absolute differences of neighbours."""
    down, right = _differences(images)
    return down.abs().sum((1, 2, 3)) + right.abs().sum((1, 2, 3))


def gradient_difference(first: Tensor, second: Tensor) -> Tensor:
    """The L2 norm of the difference of both images' forward differences."""
    down, right = _differences(first - second)
    norms: Tensor = torch.linalg.vector_norm(torch.cat([down.flatten(1), right.flatten(1)], 1), dim=1)
    return norms


def sobel_difference(first: Tensor, second: Tensor) -> Tensor:
    """The summed squared difference of Sobel responses (borders reflected, kernels unscaled)."""
    return _sobel(first - second).square().sum((1, 2, 3))


def inverse_psnr(first: Tensor, second: Tensor) -> Tensor:
    """1 / PSNR in decibels for values in [0, 1]; 0 for equal images, at most 100."""
    return _inverse_decibels((first - second).square().mean((1, 2, 3)))


def inverse_psnr_hvs(first: Tensor, second: Tensor) -> Tensor:
    """1 / PSNR-HVS in decibels of the luminance, for values in [0, 1]; 0 for equal images, at most 100.

    Differences are weighted by contrast sensitivity in the DCT of 8 x 8 blocks (Egiazarian et al., 2006): the
    inverse JPEG luminance table, scaled to a root mean square of 1. Blocks do not overlap and a remainder is
    dropped, as in the authors' program; their paper's formula sums over every position of the block.
    """
    coefficients = _weighted_dct(_luminance(first - second))
    return _inverse_decibels(coefficients.square().flatten(1).mean(1))


def ssim(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity for values in [0, 1]: Gaussian window of 11, sigma 1.5, whole windows only.

    As tf.image.ssim (Wang et al., 2004): the mean over windows and channels.
    """
    _at_least(first, 11)
    weights = [math.exp(-(offset**2) / (2 * 1.5**2)) for offset in range(-5, 6)]
    weights = [weight / sum(weights) for weight in weights]
    return _ssim(first, second, lambda maps: _filtered(_filtered(maps, weights, 2), weights, 3), 1.0)


def ssim_unfiltered(first: Tensor, second: Tensor) -> Tensor:
    """Structural similarity for values in [0, 1] over 8 x 8 mean windows that do not overlap.

    As published: a remainder of pixels is dropped and C2 is multiplied by 63/64.
    """
    _at_least(first, 8)
    return _ssim(first, second, lambda maps: F.avg_pool2d(maps, 8), 63 / 64)


def _ssim(first: Tensor, second: Tensor, local_mean: Callable[[Tensor], Tensor], contrast_scale: float) -> Tensor:
    c1, c2 = 0.01**2, 0.03**2 * contrast_scale
    mean_product = local_mean(first) * local_mean(second)
    mean_squares = local_mean(first).square() + local_mean(second).square()
    product, squares = local_mean(first * second), local_mean(first.square() + second.square())
    luminance = (2 * mean_product + c1) / (mean_squares + c1)
    contrast = (2 * (product - mean_product) + c2) / (squares - mean_squares + c2)
    return (luminance * contrast).mean((1, 2, 3))


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
