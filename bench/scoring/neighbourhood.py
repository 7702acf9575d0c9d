"""Images close to an image, and how far their attributions are from its own."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.api import Explained
from bench.api.network import pixel_scale
from bench.functional.map_similarity import relative_distance


def steps_around(explained: Explained, radius: float, samples: int) -> Iterator[Tensor]:
    """`samples` steps in pixel space, uniform within `radius` of every value, like the images in shape."""
    for sample in range(samples):
        uniform = explained.rng.of("neighbours").uniform(explained.images.shape[1:], explained.images, sample)
        yield (2 * uniform - 1) * radius


def changes_around(explained: Explained, radius: float, samples: int) -> Tensor:
    """Relative L2 change of the signed attributions at each neighbour, float64, (batch, samples)."""
    scale = pixel_scale(explained.images, explained.network.preprocess)
    moved = [
        relative_distance(explained.attributions, explained.attribute_again(explained.images + step / scale))
        for step in steps_around(explained, radius, samples)
    ]
    return torch.stack(moved, 1)
