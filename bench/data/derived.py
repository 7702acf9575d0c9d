"""Data sets made of another one, for networks that are trained to be compared: half of it, or images with holes."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Dataset, Preprocess, Removal, Sample
from bench.api.network import to_pixels
from bench.api.randomness import generator
from bench.data.transforms import prepare

# Rank maps (image, height, width) of a split, and the row of each position in them.
Ranked = tuple[NDArray[np.int32], dict[int, int]]


@dataclass(frozen=True)
class _Altered(Dataset):
    """A data set that has the splits, classes, ids and labels of another."""

    base: Dataset

    @property
    def present(self) -> tuple[str, ...]:
        """The splits of the other one."""
        return self.base.present

    @property
    def classes(self) -> tuple[str, ...]:
        """Its classes."""
        return self.base.classes

    def ids(self, split: str) -> tuple[str, ...]:
        """Its ids."""
        return self.base.ids(split)

    def labels(self, split: str) -> tuple[int, ...]:
        """Its labels."""
        return self.base.labels(split)


@dataclass(frozen=True)
class Half(_Altered):
    """One half (0 or 1) of the training images, drawn at random; the other splits are whole."""

    half: int

    def ids(self, split: str) -> tuple[str, ...]:
        """Those of the half."""
        ids = self.base.ids(split)
        return tuple(ids[position] for position in self._positions(split))

    def labels(self, split: str) -> tuple[int, ...]:
        """Those of the half."""
        labels = self.base.labels(split)
        return tuple(labels[position] for position in self._positions(split))

    def sample(self, split: str, position: int) -> Sample:
        """As in the whole."""
        return self.base.sample(split, self._positions(split)[position])

    def fingerprint(self) -> str:
        """Of the whole and which half."""
        return _hash("half", self.half, self.base.fingerprint())

    def _positions(self, split: str) -> Sequence[int]:
        return self._drawn if split == "train" else range(len(self.base.ids(split)))

    @cached_property
    def _drawn(self) -> list[int]:
        drawn = generator("halves", self.base.fingerprint()).permutation(len(self.base.ids("train")))
        return sorted(int(position) for position in np.array_split(drawn, 2)[self.half])


@dataclass(frozen=True)
class Holes(_Altered):
    """The images as a network of this `preprocess` sees them, without the pixels of a removal.

    `ranked` gives the rank maps of a split when they are asked for first; `source` says what decides them.
    """

    preprocess: Preprocess
    removal: Removal
    source: str
    ranked: Callable[[str], Ranked] = field(compare=False)

    def sample(self, split: str, position: int) -> Sample:
        """The image in [0, 1] at the network's size, its removed pixels in the network's mean colour."""
        order, rows = self.ranked(split)
        levels = replace(self.preprocess, mean=(0.0,) * 3, std=(1.0,) * 3)
        sample = prepare(self.base.sample(split, position), levels)
        gone = self.removal.of(torch.from_numpy(order[rows[position]])[None])
        mean = to_pixels(torch.zeros_like(sample.image[None]), self.preprocess)[0]
        return replace(sample, image=torch.where(gone, mean, sample.image))

    def fingerprint(self) -> str:
        """Of the whole images, of what has ranked their pixels, and of the removal."""
        return _hash("holes", self.removal, self.source, self.preprocess, self.base.fingerprint())


def _hash(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
