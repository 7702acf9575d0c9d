"""Parts planted in grey: what each does for the class is set by construction, and any can be taken away exactly."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.api import Dataset, HeatmarkError, Sample
from bench.api.randomness import generator
from bench.data.part_kinds import (
    CLASSES,
    EFFECTS,
    FORMS,
    GREY,
    KINDS,
    PALE,
    SATURATION,
    SIDE,
    SLOTS,
    directions,
    kinds_of,
    strange_directions,
)


@dataclass(frozen=True)
class PlantedParts(Dataset):
    """Four coloured parts and some that mean nothing on grey, 64 x 64; the four together are the class.

    Nine classes; two of them have at most one kind of part in common, so that any two parts tell the class. The truth
    map has on each part what it does for the class in the networks `exact_parts` and `exact_saturated_parts`, over the
    most: 1, .75, .5 and .25, nothing elsewhere; `distractors` parts have colours of no class. All parts have 100
    pixels and overlap nowhere: painted grey, a part is gone as if it had never been there. In half of the images for
    training one of the four parts is missing, so that a network learns from such images too.
    """

    distractors: int = 3
    seed: int = 0
    train_images: int = 8000
    val_images: int = 500
    test_images: int = 500

    reference: ClassVar[str] = "heatmark; after Hesse et al., 2023, arXiv:2308.06248"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    redistributable: ClassVar[bool] = True
    made: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not 0 <= self.distractors <= 6:
            raise ValueError(f"distractors {self.distractors}: expected 0 to 6, more find no place")

    @property
    def classes(self) -> tuple[str, ...]:
        """Their kinds of part by letter, slot by slot."""
        letters = "abcdefghijkl"
        return tuple("".join(letters[kind] for kind in kinds_of(label)) for label in range(CLASSES))

    def ids(self, split: str) -> tuple[str, ...]:
        """The split and the position."""
        return tuple(f"{split}/{position:05d}" for position in range(self._count(split)))

    def labels(self, split: str) -> tuple[int, ...]:
        """All classes in turn."""
        return tuple(position % CLASSES for position in range(self._count(split)))

    def sample(self, split: str, position: int) -> Sample:
        """An image, and what each part in it does for its class."""
        if not 0 <= position < self._count(split):
            raise HeatmarkError(f"planted_parts: no image {position} in {split!r}; there are {self._count(split)}")
        image, truth = _drawn(self.distractors, self.seed, split, position)
        return Sample(f"{split}/{position:05d}", image.clone(), position % CLASSES, truth.clone())

    def fingerprint(self) -> str:
        """The settings, the version of the drawing, and what parts there are."""
        recipe = (self.settings, 1, EFFECTS, FORMS, SIDE, GREY, SATURATION, PALE, KINDS, self.classes)
        return hashlib.sha256(repr(recipe).encode()).hexdigest()

    def _count(self, split: str) -> int:
        counts = {"train": self.train_images, "val": self.val_images, "test": self.test_images}
        if split not in counts:
            raise HeatmarkError(f"planted_parts has no split {split!r}; expected one of {', '.join(counts)}")
        return counts[split]


@lru_cache(maxsize=2048)
def _drawn(distractors: int, seed: int, split: str, position: int) -> tuple[Tensor, Tensor]:
    rng = generator("planted_parts", seed, split, position)
    image, truth = torch.full((3, SIDE, SIDE), GREY), torch.zeros(SIDE, SIDE)
    kinds, forms = kinds_of(position % CLASSES), [*FORMS, *[FORMS[0]] * distractors]
    missing = int(rng.integers(SLOTS)) if split == "train" and rng.random() < 0.5 else -1
    strange = rng.permutation(len(strange_directions()))[:distractors]
    colours = [*(SATURATION * directions()[list(kinds)]), *(PALE * strange_directions()[strange])]
    for number, (top, left) in enumerate(_places(forms, rng)):
        height, width = forms[number]
        window = (slice(top, top + height), slice(left, left + width))
        if number == missing:
            continue
        image[:, *window] = (GREY + colours[number]).float()[:, None, None]
        if number < SLOTS:
            truth[window] = EFFECTS[number] / max(EFFECTS)
    return image, truth


def _places(forms: list[tuple[int, int]], rng: np.random.Generator) -> list[tuple[int, int]]:
    """Top left corners at which rectangles of these forms do not touch; the longest are laid first."""
    taken = np.zeros((SIDE, SIDE), bool)
    found: dict[int, tuple[int, int]] = {}
    while len(found) < len(forms):
        taken[:], found = False, {}
        for number in sorted(range(len(forms)), key=lambda own: -max(forms[own])):
            height, width = forms[number]
            corners = rng.integers(0, (SIDE - height + 1, SIDE - width + 1), (64, 2))
            free = next((own for own in corners if not _taken(taken, int(own[0]), int(own[1]), height, width)), None)
            if free is None:
                break
            found[number] = (int(free[0]), int(free[1]))
            taken[free[0] : free[0] + height, free[1] : free[1] + width] = True
    return [found[number] for number in range(len(forms))]


def _taken(taken: NDArray[np.bool_], top: int, left: int, height: int, width: int) -> bool:
    """Whether anything lies in a rectangle or next to it."""
    return bool(taken[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1].any())
