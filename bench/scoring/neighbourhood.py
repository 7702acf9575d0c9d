"""Images to hold an image against: close ones, how far their attributions are from its own, and the data set's."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.api import Explained, UnsupportedError
from bench.api.network import pixel_scale
from bench.functional.map_similarity import relative_distance


def drawn_references(explained: Explained, samples: int, metric: str) -> Iterator[Tensor]:
    """`samples` times a reference image of the data set for each image, drawn for it; UnsupportedError without any."""
    images, pool = explained.images, explained.request.references
    if pool is None or not len(pool):
        raise UnsupportedError(f"{metric} needs reference images, and this data set gives none")
    chosen = (explained.rng.of("references").uniform((samples,), images.double()) * len(pool)).long()
    shown = pool.to(images)
    return (shown[own] for own in chosen.T)


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
