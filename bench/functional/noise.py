"""The two noise models of google-research's "optimizing interpretability", for images and for maps.

No clipping: noisy values may leave the range. Random numbers are arguments, so that the caller decides the stream.
"""

from torch import Tensor


def normal_noise(images: Tensor, normal: Tensor, multiple: float) -> Tensor:
    """Noise of standard deviation `multiple` x (max - min) of each image over all its values; published 0.15.

    `normal`, standard normal, is of the shape of `images` (batch, ...).

    >>> normal_noise(torch.tensor([[0.0, 2.0]]), torch.tensor([[1.0, -1.0]]), multiple=0.25).tolist()
    [[0.5, -0.5]]
    """
    flat = images.flatten(1)
    return normal * _per_image(multiple * (flat.amax(1) - flat.amin(1)), images)


def uniform_noise(images: Tensor, uniform: Tensor, multiple: float = 1.0) -> Tensor:
    """Noise within +- `multiple` x the 10th percentile (nearest rank) of each image; `uniform` in [0, 1).

    A negative percentile swaps the bounds, as published. `uniform` is of the shape of `images` (batch, ...).

    >>> uniform_noise(torch.tensor([[2.0, 4.0]]), torch.tensor([[0.0, 0.75]])).tolist()
    [[-2.0, 1.0]]
    """
    flat = images.flatten(1)
    nearest = round((flat.shape[1] - 1) / 10)
    bound = flat.sort(dim=1).values[:, nearest]
    return (2 * uniform - 1) * _per_image(multiple * bound, images)


def _per_image(values: Tensor, images: Tensor) -> Tensor:
    return values.reshape(-1, *(1,) * (images.ndim - 1))
