"""Substrates: what pixels are replaced by. A name in a `Plan`, a function here."""

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter
from torch import Tensor

from bench.errors import HeatmarkError, nearest

Substrate = Callable[[Tensor], Tensor]


def image(images: Tensor) -> Tensor:
    """The image itself."""
    return images


def zeros(images: Tensor) -> Tensor:
    """Zero in normalised space, the data set's mean colour; one for all images, (1, channel, height, width)."""
    return torch.zeros_like(images[:1])


def darkest(images: Tensor) -> Tensor:
    """The lowest value of each image, over all channels, everywhere."""
    return images.amin((1, 2, 3), keepdim=True).expand_as(images)


def latec_blur(images: Tensor) -> Tensor:
    """The blurred image of LATEC: Gaussian of standard deviation 5 cut at 9x9, reflecting borders."""
    from torchvision.transforms.v2.functional import gaussian_blur  # its import takes seconds

    blurred: Tensor = gaussian_blur(images, [9, 9], [5.0, 5.0])
    return blurred


def rise_blur(images: Tensor) -> Tensor:
    """The blurred image of the RISE protocol (arXiv:1806.07421), 11x11, zero padding.

    The kernel is what `scipy.ndimage.gaussian_filter` makes of an 11x11 impulse with sigma 5 and its
    default reflecting border, which is flatter than a truncated Gaussian.
    """
    channels = images.shape[1]
    kernel = _rise_kernel().to(images).expand(channels, 1, 11, 11)
    return F.conv2d(images, kernel, padding=5, groups=channels)


@cache
def _rise_kernel() -> Tensor:
    impulse = np.zeros((11, 11))
    impulse[5, 5] = 1
    return torch.from_numpy(gaussian_filter(impulse, 5).astype(np.float32))


SUBSTRATES: dict[str, Substrate] = {
    "image": image,
    "zeros": zeros,
    "darkest": darkest,
    "latec_blur": latec_blur,
    "rise_blur": rise_blur,
}


def substrate(name: str) -> Substrate:
    """The substrate of this name, or an error with the nearest name."""
    if name not in SUBSTRATES:
        raise HeatmarkError(f"no substrate named {name!r}; {nearest(name, SUBSTRATES)}")
    return SUBSTRATES[name]
