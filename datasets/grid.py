"""Mosaics of images of different classes, of which one is asked about."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import Dataset, HeatmarkError, Sample
from bench.api.randomness import generator
from bench.api.registry import plugin_class, source_file
from bench.api.source_code import code_of
from bench.data.transforms import centre_crop, resize


@dataclass(frozen=True)
class Grid(Dataset):
    """Mosaics of `rows` x `rows` images of the data set `of`, each of another class.

    A mosaic has the label of one of its images, at a cell that is drawn, and its truth map is 1 there: the evidence of
    a class can only lie where its image is. `count` mosaics, or as many as `of` has images; the others of each are
    drawn. Images are cut to squares of `cell` pixels, `root` is handed on to `of`. The paper takes images that the
    network is sure of: choose them before, or the score of a mosaic may say more of the network than of the map.
    """

    of: str = "planted"
    rows: int = 2
    cell: int = 64
    count: int = 500
    root: str = ""
    seed: int = 0

    reference: ClassVar[str] = "Rao et al., 2022, arXiv:2205.10435; Boehle et al., 2021, arXiv:2104.00032"
    made: ClassVar[bool] = True

    @cached_property
    def base(self) -> Dataset:
        """The data set that the images come from, with its own settings but for `root`."""
        made = plugin_class("datasets", self.of)
        if not issubclass(made, Dataset) or made is Grid:
            raise HeatmarkError(f"grid: of = {self.of!r}: expected another data set")
        base = made()
        settings = base.settings
        return made(**settings | {"root": self.root}) if self.root and "root" in settings else base

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override] # those of another data set
        """Those of the images."""
        return self.base.splits

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the images."""
        return self.base.classes

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """Those of the images."""
        return self.base.wordnet_ids

    def ids(self, split: str) -> tuple[str, ...]:
        """The id of the image that each is asked about."""
        return self.base.ids(split)[: self.count]

    def labels(self, split: str) -> tuple[int, ...]:
        """The label of the image that each is asked about."""
        return self.base.labels(split)[: self.count]

    def sample(self, split: str, position: int) -> Sample:
        """The mosaic; its truth is the cell of the image that it is asked about."""
        rng = generator("grid", self.seed, split, position)
        asked = int(rng.integers(self.rows**2))
        parts = [self._square(split, own) for own in self._others(split, position, rng.permutation)]
        parts.insert(asked, self._square(split, position))
        lines = [torch.cat(parts[row * self.rows : (row + 1) * self.rows], 2) for row in range(self.rows)]
        image, truth = torch.cat(lines, 1), torch.zeros(self.rows * self.cell, self.rows * self.cell)
        top, left = (self.cell * place for place in divmod(asked, self.rows))
        truth[top : top + self.cell, left : left + self.cell] = 1
        return Sample(self.ids(split)[position], image, self.labels(split)[position], truth)

    def fingerprint(self) -> str:
        """The settings, and what decides the images: their fingerprint, and the code of their data set."""
        parts = (self.settings, self.base.fingerprint(), code_of(source_file(type(self.base))))
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _square(self, split: str, position: int) -> Tensor:
        sample = self.base.sample(split, position)
        side = min(sample.image.shape[1:])
        cut = resize(centre_crop(sample, (side, side)), (self.cell, self.cell)).image
        return cut.clamp(0, 1)

    def _others(self, split: str, position: int, permutation: Callable[[int], object]) -> list[int]:
        """The positions of images of other classes, each of another."""
        labels, wanted = self.base.labels(split), self.rows**2 - 1
        seen: set[int] = {labels[position]}
        found: list[int] = []
        for own in torch.as_tensor(permutation(len(labels))).tolist():
            if len(found) == wanted:
                break
            if labels[own] not in seen:
                seen.add(labels[own])
                found.append(own)
        if len(found) < wanted:
            raise HeatmarkError(f"grid: rows = {self.rows}: {self.of} has {len(set(labels))} classes, too few")
        return found
