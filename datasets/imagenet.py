"""ImageNet (ILSVRC2012)."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.api import HeatmarkError
from bench.data.folders import FolderDataset, Listing, class_folders, image_files
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.data.transforms import inside

_POSITIONS = {wnid: position for position, wnid in enumerate(WNIDS)}


@dataclass(frozen=True)
class Imagenet(FolderDataset):
    """ImageNet (ILSVRC2012): photographs of 1,000 classes.

    `root` holds val/<wnid>/*.JPEG, and train/<wnid>/*.JPEG if networks are to be trained. With a `label_file`
    (below the root) the images are ILSVRC2012_val_00000001.JPEG and so on, in val/ or in the root itself; it holds
    a line `<file name> <class>` each, parted by blanks or commas, or one class a line in the order of the file
    names. A class is a wnid or its position, 0 to 999, among the sorted wnids (not the number of the original
    development kit, which orders them otherwise).

    A split is in the order of file names. `selection` keeps some images of val: `start:end:stride`, counted from
    1, the end included; the 5,000 of Kwon et al. (ICPR 2020) are "1:50000:10".
    """

    label_file: str = ""
    selection: str = ""

    display: ClassVar[str] = "ImageNet"
    reference: ClassVar[str] = "Russakovsky et al., 2015, arXiv:1409.0575"
    layout: ClassVar[str] = "val/<wnid>/*.JPEG, or val/ILSVRC2012_val_*.JPEG with a `label_file`"

    def __post_init__(self) -> None:
        _selected(self.selection, 0)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the outputs of ImageNet's networks."""
        return imagenet_names()

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The ids of all classes, which are the names of the folders."""
        return WNIDS

    def listing(self, split: str) -> Listing:
        """The images of a split, by file name."""
        pairs = self._from_label_file() if split == "val" and self.label_file else self._from_folders(split)
        ordered = sorted(pairs, key=lambda pair: pair[0].rpartition("/")[2])
        return Listing.of(ordered[i] for i in _selected(self.selection if split == "val" else "", len(ordered)))

    def _from_folders(self, split: str) -> list[tuple[str, int]]:
        folder = self.folder / split
        return [
            (f"{split}/{class_folder.name}/{path.name}", _label(class_folder.name, folder))
            for class_folder in class_folders(folder)
            for path in image_files(class_folder)
        ]

    def _from_label_file(self) -> list[tuple[str, int]]:
        path = inside(self.folder, self.label_file)
        if not path.is_file():
            raise HeatmarkError(f"no label file {path}")
        place = "val/" if (self.folder / "val").is_dir() else ""
        return [(f"{place}{name}", _label(text, path)) for name, text in _named_classes(path)]


def _named_classes(path: Path) -> list[tuple[str, str]]:
    """File name and class of each line; the header of Kaggle's list is passed over."""
    rows = [re.split(r"[\s,]+", line.strip()) for line in path.read_text(encoding="utf-8-sig").splitlines()]
    rows = [row for row in rows if row[0] not in ("", "ImageId")]
    if all(len(row) == 1 for row in rows):
        return [(f"ILSVRC2012_val_{number:08d}.JPEG", row[0]) for number, row in enumerate(rows, 1)]
    if any(len(row) == 1 for row in rows):
        raise HeatmarkError(f"{path}: some lines name an image and some do not; expected `<file name> <class>` in each")
    return [(row[0] if "." in row[0] else f"{row[0]}.JPEG", row[1]) for row in rows]


def _label(text: str, source: Path) -> int:
    if text.isdecimal() and int(text) < len(WNIDS):
        return int(text)
    if text not in _POSITIONS:
        raise HeatmarkError(f"{source}: class {text!r} is not one of ImageNet's, a wnid like 'n01440764' or 0 to 999")
    return _POSITIONS[text]


def _selected(selection: str, count: int) -> range:
    """Positions, counted from 0, of `start:end:stride`, counted from 1, the end included."""
    if not selection:
        return range(count)
    match = re.fullmatch(r"([1-9]\d*):([1-9]\d*):([1-9]\d*)", selection)
    if not match:
        raise ValueError(f"selection {selection!r}: expected start:end:stride, counted from 1, such as 1:50000:10")
    start, end, stride = map(int, match.groups())
    return range(start - 1, min(end, count), stride)
