"""Pairs of pixels on black: images for networks whose right attribution is known exactly."""

import hashlib
from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import Dataset, HeatmarkError, Sample
from bench.api.randomness import generator

SIDE, APART = 16, 4
CLASSES = ("pairs", "nothing")


@dataclass(frozen=True)
class Pairs(Dataset):
    """A patch of red pixels, the same in green 4 columns to its right, and a patch of blue ones that mean nothing.

    Values are .5 and 1, everything else is black; images are 16 pixels wide and high. The truth map is the value of
    each red and each green pixel: what it contributes to the networks `exact_linear`, `exact_counter_weight`,
    `exact_saturated`, `exact_and`, `exact_shattered` and `exact_shift`, whose weights are set by hand. All images are
    of the class `pairs`.
    """

    reference: ClassVar[str] = "heatmark"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    redistributable: ClassVar[bool] = True
    made: ClassVar[bool] = True

    count: int = 16
    seed: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        """The pairs, and nothing."""
        return CLASSES

    def ids(self, split: str) -> tuple[str, ...]:
        """The split and the position."""
        return tuple(f"{split}/{position:03d}" for position in range(self.count))

    def labels(self, split: str) -> tuple[int, ...]:
        """All show pairs."""
        return (0,) * len(self.ids(split))

    def sample(self, split: str, position: int) -> Sample:
        """An image and what each of its pixels contributes."""
        if split not in self.splits or not 0 <= position < self.count:
            raise HeatmarkError(f"pairs: no image {position} in {split!r}; expected 0 to {self.count - 1}")
        rng = generator("pairs", self.seed, split, position)
        image = torch.zeros(3, SIDE, SIDE)
        height, width = rng.integers(2, APART + 1, 2)
        top, left = rng.integers(0, SIDE - height + 1), rng.integers(0, SIDE - APART - width + 1)
        values = torch.from_numpy(rng.choice([0.0, 0.5, 1.0], (height, width), p=[0.2, 0.4, 0.4])).float()
        values[0, 0], values[0, 1] = 0.5, 1.0
        for channel in (0, 1):
            image[channel, top : top + height, left + channel * APART : left + channel * APART + width] = values
        truth = image.sum(0)
        across, down = rng.integers(0, SIDE - 4, 2)
        image[2, down : down + 4, across : across + 4] = torch.from_numpy(rng.choice([0.0, 0.5, 1.0], (4, 4))).float()
        return Sample(f"{split}/{position:03d}", image, 0, truth)

    def fingerprint(self) -> str:
        """The settings, and the version of the drawing."""
        return hashlib.sha256(repr((self.settings, SIDE, APART, 1)).encode()).hexdigest()
