"""What gradient-regularised training penalises: measures of an input gradient that weights can be trained on.

`gradients` and `images` are (batch, channel, height, width), penalties (batch,), the published ones their means. The
gradients keep their graph (double backpropagation), so that a penalty's own gradient reaches the weights. Except where
another source is given: google-research, "optimizing interpretability".
"""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.functional.image_similarity import (
    gradient_difference,
    image_ssim,
    image_ssim_unfiltered,
    inverse_psnr,
    inverse_psnr_hvs,
    normalised,
    sobel_difference,
    squared_correlation,
    total_variation,
    varies,
)
from bench.functional.outputs import target_outputs

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
    """The gradient of summed outputs in the images they were computed from, itself differentiable.

    `outputs` of any shape, the result in the shape of `images`.

    >>> images = torch.ones(1, 1, 1, 2, requires_grad=True)
    >>> gradient_with_graph(images**3, images).tolist()
    [[[[3.0, 3.0]]]]
    """
    (gradients,) = torch.autograd.grad(outputs.sum(), images, create_graph=True)
    return gradients


def target_gradient(logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """The gradient of each image's true-class logit, in the shape of `images`; `labels` (batch,) are outputs.

    >>> images = torch.ones(1, 1, 1, 2, requires_grad=True)
    >>> target_gradient(images.flatten(1) ** 2, torch.tensor([1]), images).tolist()
    [[[[0.0, 2.0]]]]
    """
    return gradient_with_graph(target_outputs(logits, labels), images)


def datagrad(logits: Tensor, labels: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient (batch,), from 0, of the summed cross-entropy with plain labels.

    Ross and Doshi-Velez, 2018, arXiv:1711.09404.

    >>> images = torch.zeros(1, 1, 1, 2, requires_grad=True)
    >>> datagrad(images.flatten(1), torch.tensor([0]), images).tolist()
    [0.25]
    """
    return _mean_square(gradient_with_graph(F.cross_entropy(logits, labels, reduction="sum"), images))


def spectreg(logits: Tensor, draws: Tensor, images: Tensor) -> Tensor:
    """Mean squared gradient (batch,), from 0, of sum(logits * draws), `draws` standard normal.

    Varga et al., 2018, arXiv:1712.09936.

    >>> images = torch.zeros(1, 1, 1, 2, requires_grad=True)
    >>> spectreg(images.flatten(1), torch.tensor([[1.0, 2.0]]), images).tolist()
    [2.5]
    """
    return _mean_square(gradient_with_graph(logits * draws, images))


def map_penalty(regulariser: MapRegulariser, gradients: Tensor, images: Tensor) -> Tensor:
    """The penalty (batch,) of this name on the gradients of the true-class logits, alone or against the images.

    From 0 for those that are sums of sizes, 1 - r^2 for `cor`, minus the similarity (-1 to 1) for `ssim`.

    >>> gradients, images = torch.full((1, 1, 2, 2), 2.0), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> map_penalty("l2", gradients, images).tolist(), map_penalty("tv", gradients, images).tolist()
    ([4.0], [0.0])
    """
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
            return -image_ssim(maps, pictures)
        case "ssim_unfiltered":
            return -image_ssim_unfiltered(maps, pictures)


def tv_abs(gradients: Tensor, images: Tensor) -> Tensor:
    """Total variation of the channel-summed absolute gradient over each image channel's standard deviation.

    One divisor per channel makes a map per channel of the image, as published; a constant channel gives 0.

    >>> gradients, images = torch.tensor([[[[0.0, -4.0]]]]), torch.tensor([[[[0.0, 2.0]]]])
    >>> tv_abs(gradients, images).tolist()
    [4.0]
    """
    valid = varies(images, (2, 3))
    deviation = images.std((2, 3), correction=0, keepdim=True)
    maps = gradients.abs().sum(1, keepdim=True)
    return total_variation(torch.where(valid, maps / torch.where(valid, deviation, 1), 0))


def _mean_square(gradients: Tensor) -> Tensor:
    return gradients.square().mean((1, 2, 3))
