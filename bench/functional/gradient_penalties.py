"""What gradient-regularised training penalises: measures of an input gradient that weights can be trained on.

`gradients` and `images` are (batch, channel, height, width), penalties (batch,), the published ones their means. The
gradients keep their graph (double backpropagation), so that a penalty's own gradient reaches the weights.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.functional.image_similarity import (
    gradient_difference,
    inverse_psnr,
    inverse_psnr_hvs,
    normalised,
    sobel_difference,
    squared_correlation,
    ssim,
    ssim_unfiltered,
    total_variation,
    varies,
)

MapRegulariser = Literal[
    "l2",
    "tv",
    "tv_abs",
    "tv_abs_unscaled",
    "mse",
    "cor",
    "grad_diff",
    "sobel_edges",
    "psnr",
    "psnr_hvs",
    "ssim",
    "ssim_unfiltered",
]
Regulariser = Literal["datagrad", "spectreg", MapRegulariser]


def gradient_with_graph(outputs: Tensor, images: Tensor) -> Tensor:
    """The gradient of summed outputs in the images they were computed from, itself differentiable."""
    (gradients,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
    return gradients


def target_gradient(logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """The gradient of each image's true-class logit."""
    return gradient_with_graph(logits.gather(1, labels[:, None]), images)


def datagrad(logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient of the summed cross-entropy with plain labels (Ross and Doshi-Velez, 2018)."""
    return _mean_square(gradient_with_graph(F.cross_entropy(logits, labels, reduction="sum"), images))


def spectreg(logits: Tensor, draws: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient of sum(logits * draws), `draws` standard normal (Varga et al., 2018)."""
    return _mean_square(gradient_with_graph(logits * draws, images))


def map_penalty(regulariser: MapRegulariser, gradients: Tensor, images: Tensor) -> Tensor:
    """The penalty of this name on the gradients of the true-class logits, alone or against the images."""
    match regulariser:
        case "l2":
            return _mean_square(gradients)
        case "tv":
            return total_variation(gradients)
        case "tv_abs":
            return tv_abs(gradients, images)
        case "tv_abs_unscaled":
            return total_variation(gradients.abs().sum(1, keepdim=True))
        case "cor":
            return 1 - squared_correlation(gradients, images)
    maps, pictures = normalised(gradients), normalised(images)
    match regulariser:
        case "mse":
            return _mean_square(maps - pictures)
        case "grad_diff":
            return gradient_difference(maps, pictures)
        case "sobel_edges":
            return sobel_difference(maps, pictures)
        case "psnr":
            return inverse_psnr(maps, pictures)
        case "psnr_hvs":
            return inverse_psnr_hvs(maps, pictures)
        case "ssim":
            return -ssim(maps, pictures)
        case "ssim_unfiltered":
            return -ssim_unfiltered(maps, pictures)


def tv_abs(gradients: Tensor, images: Tensor) -> Tensor:
    """Total variation of the channel-summed absolute gradient over each image channel's standard deviation.

    One divisor per channel makes a map per channel of the image, as published; a constant channel gives 0.
    """
    valid = varies(images, (2, 3))
    deviation = images.std((2, 3), correction=0, keepdim=True)
    maps = gradients.abs().sum(1, keepdim=True)
    return total_variation(torch.where(valid, maps / torch.where(valid, deviation, 1), 0))


def _mean_square(gradients: Tensor) -> Tensor:
    return gradients.square().mean((1, 2, 3))
