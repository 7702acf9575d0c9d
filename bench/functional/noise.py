"""The two noise models of google-research's "optimizing interpretability", for images and for maps.

No clipping: noisy values may leave the range. Random numbers are handed in, so that the caller decides the stream.
"""

from torch import Tensor


def normal_noise(images: Tensor, normal: Tensor, multiple: float) -> Tensor:
    """Noise of standard deviation `multiple` x (max - min) of each image over all its values; published 0.15."""
    flat = images.flatten(1)
    return normal * _per_image(multiple * (flat.amax(1) - flat.amin(1)), images)


def uniform_noise(images: Tensor, uniform: Tensor, multiple: float = 1.0) -> Tensor:
    """Noise within +- `multiple` x the 10th percentile (nearest rank) of each image; `uniform` in [0, 1).

    A negative percentile swaps the bounds, as published.
    """
    flat = images.flatten(1)
    nearest = round((flat.shape[1] - 1) / 10)
    bound = flat.sort(dim=1).values[:, nearest]
    return (2 * uniform - 1) * _per_image(multiple * bound, images)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (images.ndim - 1))
