"""In which order images come, and after how many of them one looks."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np

EIGHTHS = 8
FEWEST = 8  # images, before which nothing is looked at


def image_order(ids: Iterable[str]) -> list[int]:
    """The positions of these images in the order in which they come: by the SHA-256 of their ids.

    As good as drawn by chance whatever the order of a data set, and always the same.
    """
    named = [(hashlib.sha256(image.encode()).digest(), position) for position, image in enumerate(ids)]
    return [position for _, position in sorted(named)]


def look_counts(images: int) -> tuple[int, ...]:
    """After how many images one looks: every eighth of them, the last time after all."""
    counts = {-(-images * part // EIGHTHS) for part in range(1, EIGHTHS + 1)}
    return tuple(sorted(count for count in counts if count >= FEWEST or count == images))


def fractions(looks: Sequence[int]) -> tuple[float, ...]:
    """The share of all images that is there at each look."""
    return tuple(count / looks[-1] for count in looks)


def last_looks(present: np.ndarray, looks: Sequence[int]) -> np.ndarray:
    """For images (..., image) in their order that are there or not: how many had come at the look that was the last."""
    there = np.where(present.any(-1), present.shape[-1] - present[..., ::-1].argmax(-1), 0)
    counts = np.array([0, *looks])
    return np.asarray(counts[np.searchsorted(counts, there).clip(max=len(looks))])
