"""Data sets whose images show several objects: which class is explained, and where its objects are."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, final

import torch
from torch import Tensor

from bench.data.folders import FolderDataset, Listing
from bench.errors import HeatmarkError, nearest
from bench.functional.truth_maps import box_map

RULES = ("largest", "only")


@dataclass(frozen=True)
class AnnotatedObject:
    """An object: its class, its box (left, top, right, bottom) in pixels from the top left corner of the image.

    One that does not `count` (a crowd, a difficult one) does not decide which class is explained. `outline` is what
    the file has of its shape.
    """

    label: int
    box: tuple[float, float, float, float]
    counts: bool = True
    outline: Any = None

    @property
    def area(self) -> float:
        """The pixels of its box."""
        return (self.box[2] - self.box[0]) * (self.box[3] - self.box[1])


@dataclass(frozen=True)
class Annotated:
    """What a file says of an image: its size (height, width), the objects on it, and where that is said."""

    size: tuple[int, int]
    objects: tuple[AnnotatedObject, ...]
    source: Path

    def explained(self, rule: str, classes: tuple[str, ...]) -> int | None:
        """The class that is explained under a rule; None leaves the image out."""
        areas: dict[int, float] = {}
        for own in self.objects:
            if own.counts:
                areas[own.label] = areas.get(own.label, 0.0) + own.area
        if rule == "largest":
            return max(areas, key=lambda label: areas[label]) if areas else None
        if rule == "only":
            return next(iter(areas)) if len(areas) == 1 else None
        label = classes.index(rule)
        return label if label in areas else None


@dataclass(frozen=True)
class ObjectDataset(FolderDataset):
    """Images of several objects; a subclass reads what is annotated.

    `explained` says which class is the label of an image that shows several: `largest`, that whose boxes have most
    pixels together; `only` keeps images of one class; the name of a class keeps the images that show it. The truth are
    all objects of that class: their boxes (`box`), their pixels (`mask`) or `none`.
    """

    truth: Literal["box", "mask", "none"] = "box"
    explained: str = "largest"

    @abstractmethod
    def annotated(self, split: str) -> Mapping[str, Annotated]:
        """The images of a split by their paths below the root, in a fixed order; none where the split is not here."""

    @abstractmethod
    def mask(self, image_id: str, label: int, annotated: Annotated) -> Tensor:
        """The pixels of a class (height, width), 1 or 0."""

    @final
    def listing(self, split: str) -> Listing:
        """The images that show what is explained."""
        classes = self.classes
        if self.explained not in (*RULES, *classes):
            hint = nearest(self.explained, (*RULES, *classes))
            raise HeatmarkError(f"data set {self.name!r}: explained: no class or rule {self.explained!r}; {hint}")
        found = {image: own.explained(self.explained, classes) for image, own in self._of_split(split).items()}
        return Listing.of((image, label) for image, label in found.items() if label is not None)

    @final
    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The boxes or pixels of all objects of the class that is explained."""
        own = next(found[image_id] for split in self.splits if image_id in (found := self._of_split(split)))
        size = (image.shape[1], image.shape[2])
        if size != own.size:
            said, there = f"{own.size[1]}x{own.size[0]}", f"{size[1]}x{size[0]}"
            raise HeatmarkError(f"{own.source} says that {image_id} is {said}, and it is {there}")
        label = own.explained(self.explained, self.classes)
        if self.truth == "none" or label is None:
            return None, None
        if self.truth == "mask":
            return self.mask(image_id, label, own), None
        return box_map(torch.tensor([it.box for it in own.objects if it.label == label]), *size), None

    def _of_split(self, split: str) -> Mapping[str, Annotated]:
        if split not in self._annotated:
            self._annotated[split] = self.annotated(split)
        return self._annotated[split]

    @cached_property
    def _annotated(self) -> dict[str, Mapping[str, Annotated]]:
        return {}
