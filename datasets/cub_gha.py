"""CUB-GHA: 200 species of birds, and where people looked to tell them apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import HeatmarkError
from bench.data.folders import FolderDataset, Listing, existing_folder, read_csv, read_lines
from bench.data.gaze import Viewing, fixations_of, gaze_files, published_map, read_gaze
from bench.data.transforms import inside, read_mask, resized_image
from bench.functional.truth_maps import box_map, gaze_map

_SPECIES = 200


@dataclass(frozen=True)
class _Bird:
    """One row of the lists: paths of the image and its gaze map below the root, and its number in images.txt."""

    path: str
    label: int
    split: str
    number: int
    gaze: str


@dataclass(frozen=True)
class CubGha(FolderDataset):
    """CUB-200-2011 birds, with human gaze (CUB-GHA) or the bird's box as truth.

    `root` is CUB_200_2011. A split is listed by AdvGrad's train.csv or test.csv where that file is there, else
    by the original images.txt, image_class_labels.txt and train_test_split.txt.

    With `gaze_root`, a folder of fixation files, gaze maps are drawn from all viewings and fixations are offered;
    without it the maps are those that the CSV names, or CUB_GHA/<number>.jpg. Fixations under `minimum_duration`
    ms are dropped, as the authors do. `rendering` draws on the image, in floating point and from every
    fixation, or as the `published` script does, with its quirks (`bench.data.gaze.published_map` names them). An image
    that nobody looked at has an empty map and no fixations.
    """

    gaze_root: str = ""
    truth: Literal["gaze", "box", "none"] = "gaze"
    rendering: Literal["heatmark", "published"] = "heatmark"
    minimum_duration: int = 100

    display: ClassVar[str] = "CUB-GHA"
    reference: ClassVar[str] = "Rong et al., 2021, arXiv:2106.13620; Wah et al., 2011, CUB-200-2011"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    layout: ClassVar[str] = "images/<number.Class>/*.jpg, and images.txt or train.csv and test.csv"

    @property
    def classes(self) -> tuple[str, ...]:
        """All 200 species by number, named as their folders are."""
        names = {bird.label: _name(bird.path) for bird in self._birds.values()}
        return tuple(names.get(label, f"species {label + 1}") for label in range(_SPECIES))

    def listing(self, split: str) -> Listing:
        """The birds of a split, from AdvGrad's CSV or from the original text files."""
        return Listing.of((bird.path, bird.label) for bird in self._birds.values() if bird.split == split)

    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The gaze map or the box, and the fixations where there are fixation files."""
        bird, size = self._birds[image_id], (image.shape[1], image.shape[2])
        viewings = self._viewings(bird, size)
        fixations = None if viewings is None else fixations_of(viewings, self.minimum_duration)
        if self.truth == "none":
            return None, fixations
        if self.truth == "box":
            return self._box(bird, size), fixations
        if viewings is None or fixations is None:
            return self._drawn_map(bird, size), None
        if self.rendering == "published" and viewings:
            return published_map(viewings, self.minimum_duration), fixations
        return gaze_map(fixations, *size), fixations

    def truth_files(self) -> Iterable[Path]:
        """Fixation files or the maps drawn from them, and the boxes, where they are used."""
        if self.gaze_root:
            yield from gaze_files(self._gaze_folder)
        elif self.truth == "gaze":
            yield from (inside(self.folder, bird.gaze) for bird in self._birds.values())
        if self.truth == "box":
            yield self.folder / "bounding_boxes.txt"

    def _drawn_map(self, bird: _Bird, size: tuple[int, int]) -> Tensor:
        path = inside(self.folder, bird.gaze)
        if not path.is_file():
            raise HeatmarkError(f"no gaze map {path}; set `gaze_root` to draw it from fixations, or another `truth`")
        return resized_image(read_mask(path)[None], size)[0]

    def _box(self, bird: _Bird, size: tuple[int, int]) -> Tensor:
        if bird.number not in self._boxes:
            raise HeatmarkError(f"{self.folder / 'bounding_boxes.txt'} has no box of image {bird.number} ({bird.path})")
        left, top, width, height = self._boxes[bird.number]
        return box_map(torch.tensor([[left, top, left + width, top + height]]), *size)

    def _viewings(self, bird: _Bird, size: tuple[int, int]) -> tuple[Viewing, ...] | None:
        if not self.gaze_root:
            return None
        viewings = self._gaze.get(bird.number, ())
        for viewing in viewings:
            if (viewing.height, viewing.width) != size:
                raise HeatmarkError(
                    f"{self.folder / bird.path} is {size[1]}x{size[0]}, and the gaze of image {bird.number} "
                    f"was taken on {viewing.width}x{viewing.height}"
                )
        return viewings

    @property
    def _gaze_folder(self) -> Path:
        return existing_folder(Path(self.gaze_root).expanduser(), "Fixation_run1.txt and so on, or Fixation.txt")

    @cached_property
    def _gaze(self) -> dict[int, tuple[Viewing, ...]]:
        return read_gaze(self._gaze_folder)

    @cached_property
    def _boxes(self) -> dict[int, tuple[float, ...]]:
        path = self.folder / "bounding_boxes.txt"
        return {int(number): tuple(map(float, box)) for number, *box in read_lines(path, 5)}

    @cached_property
    def _birds(self) -> dict[str, _Bird]:
        """Every row of both splits by its path, in the order of the lists."""
        rows: list[_Bird] = []
        for split in self.splits:
            own = self.folder / f"{split}.csv"
            rows += self._from_csv(own, split) if own.is_file() else self._from_text(split)
        birds: dict[str, _Bird] = {}
        for bird in rows:
            if bird.path in birds:
                raise HeatmarkError(f"{self.folder}: {bird.path} is listed twice, within a split or in both")
            birds[bird.path] = bird
        return birds

    def _from_csv(self, path: Path, split: str) -> list[_Bird]:
        return [
            _Bird(row["img"], _label(row["label"], 0, path), split, _number(row["gaze"], path), row["gaze"])
            for row in read_csv(path, ("img", "label", "gaze"))
        ]

    def _from_text(self, split: str) -> list[_Bird]:
        images = self.folder / "images.txt"
        classes = self.folder / "image_class_labels.txt"
        class_of = {number: _label(label, 1, classes) for number, label in read_lines(classes, 2)}
        trained = dict(read_lines(self.folder / "train_test_split.txt", 2))
        birds = []
        for number, name in read_lines(images, 2):
            if number not in class_of or trained.get(number) not in ("0", "1"):
                raise HeatmarkError(
                    f"{images}: image {number} ({name}) has no class or no split in the files beside it"
                )
            if (trained[number] == "1") == (split == "train"):
                birds.append(_Bird(f"images/{name}", class_of[number], split, int(number), f"CUB_GHA/{number}.jpg"))
        return birds


def _name(path: str) -> str:
    return Path(path).parent.name.partition(".")[2].replace("_", " ")


def _label(text: str, first: int, source: Path) -> int:
    if not text.isdecimal() or not first <= int(text) < first + _SPECIES:
        raise HeatmarkError(f"{source}: class {text!r} is not one of {first} to {first + _SPECIES - 1}")
    return int(text) - first


def _number(gaze: str, source: Path) -> int:
    if not Path(gaze).stem.isdecimal():
        raise HeatmarkError(f"{source}: gaze map {gaze!r} is not named by the number of its image, as in CUB_GHA/1.jpg")
    return int(Path(gaze).stem)
