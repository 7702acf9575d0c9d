"""In which order images come, and after how many of them one looks."""

import hashlib
import math
from collections.abc import Iterable, Sequence

import numpy as np

FEWEST = 8  # images, before which nothing is looked at
GROWTH = 1.25  # of the images from look to look


def image_order(ids: Iterable[str]) -> list[int]:
    """The positions of these images in the order in which they come: by the SHA-256 of their ids.

    As good as drawn by chance whatever the order of a data set, and always the same.
    """
    named = [(hashlib.sha256(image.encode()).digest(), position) for position, image in enumerate(ids)]
    return [position for _, position in sorted(named)]


def look_counts(images: int) -> tuple[int, ...]:
    """After how many images one looks: first after a few, then whenever there are a quarter more, last after all."""
    if images <= FEWEST:
        return (images,)
    steps = max(round(math.log(images / FEWEST) / math.log(GROWTH)), 1)
    return tuple(sorted({round(FEWEST * (images / FEWEST) ** (step / steps)) for step in range(steps + 1)}))


def fractions(looks: Sequence[int]) -> tuple[float, ...]:
    """The share of all images that is there at each look."""
    return tuple(count / looks[-1] for count in looks)


def last_looks(present: np.ndarray, looks: Sequence[int]) -> np.ndarray:
    """For images (..., image) in their order that are there or not: how many had come at the look that was the last."""
    there = np.where(present.any(-1), present.shape[-1] - present[..., ::-1].argmax(-1), 0)
    counts = np.array([0, *looks])
    return np.asarray(counts[np.searchsorted(counts, there).clip(max=len(looks))])
