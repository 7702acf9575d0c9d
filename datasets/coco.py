"""COCO: photographs of objects of eighty classes."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.api import HeatmarkError
from bench.data.annotated_objects import Annotated, AnnotatedObject, ObjectDataset
from bench.data.folders import read_json


@dataclass(frozen=True)
class Coco(ObjectDataset):
    """COCO: photographs of objects of eighty classes, with boxes or masks.

    `root` holds annotations/instances_<split><year>.json and the images in <split><year>. An image shows objects of
    several classes: `explained` says which one is its label, `largest` (whose boxes have most pixels together), `only`
    (images of one class alone), or the name of a class (the images that show it). The truth are the boxes of all
    objects of that class, or their pixels (polygons and run lengths, read by pycocotools: the extra `coco`). Crowds are
    part of the truth and decide no label. Classes are in the order of their ids, which have gaps.
    """

    year: str = "2017"

    display: ClassVar[str] = "COCO"
    reference: ClassVar[str] = "Lin et al., 2014, arXiv:1405.0312"
    layout: ClassVar[str] = "annotations/instances_val2017.json and val2017/*.jpg, and the same of train2017"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the categories, in the order of their ids."""
        return tuple(name for _, name in self._categories)

    def annotated(self, split: str) -> Mapping[str, Annotated]:
        """The images of a split that is here, by id."""
        path, place = self._file(split), f"{split}{self.year}"
        if not (path.is_file() and (self.folder / place).is_dir()):
            return {}
        found, labels = self._read(split), {own: label for label, (own, _) in enumerate(self._categories)}
        try:
            of_image: dict[int, list[AnnotatedObject]] = {own["id"]: [] for own in found["images"]}
            for own in found["annotations"]:
                of_image[own["image_id"]].append(_object(own, labels))
            return {
                f"{place}/{own['file_name']}": Annotated(
                    (own["height"], own["width"]), tuple(of_image[own["id"]]), path
                )
                for own in sorted(found["images"], key=lambda own: int(own["id"]))
            }
        except (KeyError, TypeError, ValueError) as error:
            raise HeatmarkError(f"{path} is no file of COCO's instances: {_said(error)}") from error

    def mask(self, image_id: str, label: int, annotated: Annotated) -> Tensor:
        """The pixels of all objects of a class."""
        found = np.zeros(annotated.size, bool)
        for own in annotated.objects:
            if own.label == label:
                try:
                    found |= _pixels(own.outline, annotated.size)
                except (KeyError, TypeError, ValueError, IndexError) as error:
                    said = f"{image_id} has an outline that is none: {_said(error)}"
                    raise HeatmarkError(f"{annotated.source}: {said}") from error
        return torch.from_numpy(found).float()

    def truth_files(self) -> Iterable[Path]:
        """The annotations."""
        return (path for split in self.splits if (path := self._file(split)).is_file())

    def _file(self, split: str) -> Path:
        return self.folder / "annotations" / f"instances_{split}{self.year}.json"

    @cached_property
    def _categories(self) -> list[tuple[int, str]]:
        """Id and name of each class, by id: those of any split that is here."""
        there = [split for split in self.splits if self._file(split).is_file()]
        if not there:
            raise HeatmarkError(f"no file {self._file('val')}; expected {self.folder} to hold {self.layout}")
        path = self._file(there[-1])
        try:
            return sorted((int(own["id"]), str(own["name"])) for own in self._read(there[-1])["categories"])
        except (KeyError, TypeError, ValueError) as error:
            raise HeatmarkError(f"{path} is no file of COCO's instances: {_said(error)}") from error

    def _read(self, split: str) -> dict[str, Any]:
        if split not in self._files:
            self._files[split] = read_json(self._file(split))
        return self._files[split]

    @cached_property
    def _files(self) -> dict[str, dict[str, Any]]:
        return {}


def _object(own: Mapping[str, Any], labels: Mapping[int, int]) -> AnnotatedObject:
    if own["category_id"] not in labels:
        raise ValueError(f"category {own['category_id']} of annotation {own['id']} is not among its categories")
    left, top, width, height = map(float, own["bbox"])
    box = (left, top, left + width, top + height)
    return AnnotatedObject(labels[own["category_id"]], box, not own.get("iscrowd", 0), own.get("segmentation"))


def _pixels(outline: Any, size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels in polygons, or of run lengths as numbers or as text."""
    try:
        from pycocotools import mask as runs
    except ImportError as error:
        raise HeatmarkError("data set 'coco': masks need pycocotools: pip install \"heatmark[coco]\"") from error
    coded = runs.frPyObjects(outline, *size) if isinstance(outline, list) else outline
    if isinstance(coded, list):
        coded = runs.merge(coded)
    elif isinstance(coded["counts"], list):
        coded = runs.frPyObjects(coded, *size)
    if tuple(coded["size"]) != size:
        raise ValueError(f"it is of {coded['size']}, its image of {list(size)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of numpy, about how pycocotools returns its array
        return np.asarray(runs.decode(coded), bool)


def _said(error: Exception) -> str:
    return f"nothing in {error}" if isinstance(error, KeyError) else str(error)
