"""Segments of images, as methods on regions need them."""

import numpy as np
import torch
from torch import Tensor

from bench.api import Network
from bench.api.network import to_pixels


def photographs(network: Network, images: Tensor) -> list[np.ndarray]:
    """Normalised images as arrays (height, width, channel) in [0, 1], for scikit-image."""
    pixels = to_pixels(images.detach(), network.preprocess).clamp(0, 1)
    return [picture.double().cpu().permute(1, 2, 0).numpy() for picture in pixels]


def superpixels(network: Network, images: Tensor, segments: int) -> Tensor:
    """SLIC superpixels (batch, height, width), numbered from 0 without gaps; about `segments` in each image."""
    from skimage.segmentation import slic

    maps = []
    for picture in photographs(network, images):
        labels = slic(picture, n_segments=segments, channel_axis=2)
        maps.append(np.unique(labels, return_inverse=True)[1].reshape(labels.shape))
    return torch.from_numpy(np.stack(maps)).long().to(images.device)
