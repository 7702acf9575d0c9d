"""What gradient-regularised training penalises: measures of an input gradient that weights can be trained on.

`gradients` and `images` are (batch, channel, height, width); every penalty is a scalar. The gradients keep their graph
(double backpropagation), so that a penalty's own gradient reaches the weights.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.image_similarity import (
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
    return gradient_with_graph(F.cross_entropy(logits, labels, reduction="sum"), images).square().mean()


def spectreg(logits: Tensor, draws: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient of sum(logits * draws), `draws` standard normal (Varga et al., 2018)."""
    return gradient_with_graph(logits * draws, images).square().mean()


def map_penalty(regulariser: MapRegulariser, gradients: Tensor, images: Tensor) -> Tensor:
    """The penalty of this name on the gradients of the true-class logits, alone or against the images."""
    match regulariser:
        case "l2":
            return gradients.square().mean()
        case "tv":
            return total_variation(gradients).mean()
        case "tv_abs":
            return tv_abs(gradients, images)
        case "tv_abs_unscaled":
            return total_variation(gradients.abs().sum(1, keepdim=True)).mean()
        case "cor":
            return 1 - squared_correlation(gradients, images).mean()
        case "mse":
            return (normalised(gradients) - normalised(images)).square().mean()
        case "grad_diff":
            return gradient_difference(normalised(gradients), normalised(images)).mean()
        case "sobel_edges":
            return sobel_difference(normalised(gradients), normalised(images)).mean()
        case "psnr":
            return inverse_psnr(normalised(gradients), normalised(images)).mean()
        case "psnr_hvs":
            return inverse_psnr_hvs(normalised(gradients), normalised(images)).mean()
        case "ssim":
            return -ssim(normalised(gradients), normalised(images)).mean()
        case "ssim_unfiltered":
            return -ssim_unfiltered(normalised(gradients), normalised(images)).mean()


def tv_abs(gradients: Tensor, images: Tensor) -> Tensor:
    """Total variation of the channel-summed absolute gradient over each image channel's standard deviation.

    One divisor per channel makes a map per channel of the image, as published; a constant channel gives 0.
    """
    valid = varies(images, (2, 3))
    deviation = images.std((2, 3), correction=0, keepdim=True)
    maps = gradients.abs().sum(1, keepdim=True)
    return total_variation(torch.where(valid, maps / torch.where(valid, deviation, 1), 0)).mean()
