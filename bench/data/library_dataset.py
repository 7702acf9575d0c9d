"""What data sets of other libraries share: they are opened split by split, and give pictures, labels and masks."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.api import Dataset, Sample
from bench.errors import HeatmarkError, nearest

# What decides where the data lie, and not what they are.
_PLACE = ("root", "download")


@dataclass(frozen=True)
class Opened:
    """A split as its library has it: ids and labels in a fixed order, an image and a truth map by position.

    `contents` yields a hash of each image, and of its truth map.
    """

    ids: tuple[str, ...]
    labels: tuple[int, ...]
    classes: tuple[str, ...]
    image: Callable[[int], Image.Image]
    contents: Callable[[], Iterable[str]]
    truth: Callable[[int], Tensor] | None = None
    wordnet_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class LibraryDataset(Dataset):
    """A data set of another library; a subclass opens its splits, and everything else follows.

    `root` is where the library looks for it. With `download` the library fetches every split that is not there.
    """

    root: str = ""
    download: bool = False

    @abstractmethod
    def opened(self, split: str) -> Opened:
        """A split; HeatmarkError in one line where the library does not find it."""

    @property
    def present(self) -> tuple[str, ...]:
        """The splits that the library finds; HeatmarkError where it finds none."""
        found = []
        for split in self.splits:
            try:
                found.append(split)
                _opened(self, split)
            except HeatmarkError:
                found.pop()
        if not found:
            _opened(self, self.splits[-1])
        return tuple(found)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes by the library's names, or by number where it has none."""
        return _opened(self, self.present[-1]).classes

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The WordNet ids of the classes, where the library has them."""
        return _opened(self, self.present[-1]).wordnet_ids

    @property
    def label(self) -> str:
        """The label without where the data lie, which differs from machine to machine."""
        usual: dict[str, Any] = {own.name: own.default for own in fields(self) if own.name in _PLACE}
        here = any(getattr(self, key) != value for key, value in usual.items())
        return replace(self, **usual).label if here else super().label

    @final
    def ids(self, split: str) -> tuple[str, ...]:
        """Paths below the root, or the split and a number."""
        return self._split(split).ids

    @final
    def labels(self, split: str) -> tuple[int, ...]:
        """Labels in the order of `ids`."""
        return self._split(split).labels

    @final
    def sample(self, split: str, position: int) -> Sample:
        """One image in RGB with its label, and its truth map where the data set has them."""
        own = self._split(split)
        if not 0 <= position < len(own.ids):
            raise HeatmarkError(f"{self.name} {split}: no image {position}, there are {len(own.ids)}")
        try:
            pixels = torch.from_numpy(np.array(own.image(position).convert("RGB")))
        except (OSError, SyntaxError, ValueError) as error:
            raise HeatmarkError(f"{self.name}: {own.ids[position]} cannot be read: {error}") from error
        image = pixels.permute(2, 0, 1).contiguous().float() / 255
        truth = None if own.truth is None else own.truth(position)
        if truth is not None and truth.shape != image.shape[1:]:
            sizes = f"{tuple(truth.shape)} for an image {tuple(image.shape[1:])}"
            raise HeatmarkError(f"{self.name}: {own.ids[position]} has a mask {sizes}")
        return Sample(own.ids[position], image, own.labels[position], truth)

    @final
    def fingerprint(self) -> str:
        """A hash of the settings (but not of where the data lie), and of ids, labels and contents."""
        return _fingerprint(self)

    def _split(self, split: str) -> Opened:
        if split not in self.splits:
            raise HeatmarkError(f"data set {self.name!r} has no split {split!r}; {nearest(split, self.splits)}")
        return _opened(self, split)


@lru_cache(maxsize=8)
def _opened(dataset: LibraryDataset, split: str) -> Opened:
    """A split, opened once: kept beside the data set, which travels to workers without its images."""
    own = dataset.opened(split)
    if not own.ids:
        raise HeatmarkError(f"{dataset.name} has no image of split {split!r}")
    return own


@lru_cache(maxsize=8)
def _fingerprint(dataset: LibraryDataset) -> str:
    deciding = {key: value for key, value in dataset.settings.items() if key not in _PLACE}
    digest = hashlib.sha256(repr((dataset.name, deciding)).encode())
    for split in dataset.present:
        own = _opened(dataset, split)
        for image_id, label, content in zip(own.ids, own.labels, own.contents(), strict=True):
            digest.update(f"{split} {image_id} {label} {content}\n".encode())
    return digest.hexdigest()


def pixels_hash(image: Any) -> str:
    """A hash of a picture's, an array's or a tensor's values."""
    values = np.ascontiguousarray(image)
    return hashlib.sha256(repr((values.shape, str(values.dtype))).encode() + values.tobytes()).hexdigest()
