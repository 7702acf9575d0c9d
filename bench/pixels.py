"""Between a network's normalised input and pixels in [0, 1]."""

import torch
from torch import Tensor

from bench.errors import HeatmarkError
from bench.handed import Preprocess


def to_pixels(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Images (batch, channel, height, width) in [0, 1] from normalised ones."""
    return images * pixel_scale(images, preprocess) + _per_channel(preprocess.mean, images)


def from_pixels(pixels: Tensor, preprocess: Preprocess) -> Tensor:
    """Normalised images from pixels (batch, channel, height, width) in [0, 1]."""
    return (pixels - _per_channel(preprocess.mean, pixels)) / pixel_scale(pixels, preprocess)


def pixel_scale(images: Tensor, preprocess: Preprocess) -> Tensor:
    """How much of the pixel range one normalised unit is, (channel | 1, 1, 1): the network's standard deviation."""
    return _per_channel(preprocess.std, images)


def _per_channel(values: tuple[float, ...], images: Tensor) -> Tensor:
    if len(set(values)) == 1:
        values = values[:1]
    elif len(values) != images.shape[1]:
        raise HeatmarkError(f"the network's preprocess has {len(values)} channels, its images have {images.shape[1]}")
    return torch.tensor(values, dtype=images.dtype, device=images.device)[:, None, None]
