"""Randomness that belongs to an image, not to a batch.

A draw is a pure function of (seed, purpose, image id, draw), made by a counter-based generator on the
CPU and moved to where it is needed, so it is the same for every batch size, order, shard and device.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor


def generator(*key: object) -> np.random.Generator:
    """A Philox generator whose stream is decided by `key` alone."""
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


@dataclass(frozen=True)
class ImageRandom:
    """One random stream per image of a batch; asking twice for the same draw gives the same numbers.

    `purpose` names who draws (a plug-in), so that two plug-ins never share a stream.
    """

    seed: int
    purpose: str
    image_ids: tuple[str, ...]

    def uniform(self, shape: tuple[int, ...], like: Tensor, draw: object = 0) -> Tensor:
        """Uniform numbers in [0, 1), shape (batch, *shape), on the device and in the dtype of `like`."""
        return self._stack([g.random(shape) for g in self._generators(draw)], shape, like)

    def normal(self, shape: tuple[int, ...], like: Tensor, draw: object = 0) -> Tensor:
        """Standard normal numbers, shape (batch, *shape), on the device and in the dtype of `like`."""
        return self._stack([g.standard_normal(shape) for g in self._generators(draw)], shape, like)

    def seeds(self, draw: object = 0) -> list[int]:
        """A seed for each image, for code that draws from global generators."""
        return [int(g.integers(2**31)) for g in self._generators(draw)]

    def shared(self, draw: object = 0) -> np.random.Generator:
        """A stream that every image of the run shares, for what a method draws once by definition."""
        return generator(self.seed, self.purpose, "shared", draw)

    def of(self, purpose: str) -> "ImageRandom":
        """The same images and seed, drawn for another purpose."""
        return replace(self, purpose=purpose)

    def select(self, positions: list[int]) -> "ImageRandom":
        """The streams of some images of the batch."""
        return replace(self, image_ids=tuple(self.image_ids[i] for i in positions))

    def _generators(self, draw: object) -> list[np.random.Generator]:
        return [generator(self.seed, self.purpose, image, draw) for image in self.image_ids]

    def _stack(self, draws: list[np.ndarray], shape: tuple[int, ...], like: Tensor) -> Tensor:
        stacked = np.stack(draws) if draws else np.empty((0, *shape))
        return torch.from_numpy(stacked).to(device=like.device, dtype=like.dtype)
