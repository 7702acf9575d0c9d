"""Imagenette: ten easily told classes of ImageNet."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.data.folders import FolderDataset, Listing, class_folders, image_files, read_csv
from bench.errors import HeatmarkError, nearest

_CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


@dataclass(frozen=True)
class Imagenette(FolderDataset):
    """Imagenette (fastai): ten easily told classes of ImageNet, photographs of any size.

    `root` holds train/<wnid>/*.JPEG and val/<wnid>/*.JPEG. A split is listed by train.csv or val.csv where
    AdvGrad's file is there, else by the rows of noisy_imagenette.csv with its `is_valid`, else by the
    folders. `label_column` is the CSV's column of labels (noisy_labels_5 has 5% of the training labels wrong).
    """

    label_column: str = "noisy_labels_0"

    reference: ClassVar[str] = "Howard, 2019, https://github.com/fastai/imagenette"
    layout: ClassVar[str] = "train/<wnid>/*.JPEG and val/<wnid>/*.JPEG"

    @property
    def classes(self) -> tuple[str, ...]:
        """Ten names, in the order of their wnids."""
        return tuple(_CLASSES.values())

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The ids of the ten classes, which are the names of the folders."""
        return tuple(_CLASSES)

    def listing(self, split: str) -> Listing:
        """The images of a split, from its CSV or from the folders."""
        own, both = self.folder / f"{split}.csv", self.folder / "noisy_imagenette.csv"
        if own.is_file():
            return self._from_rows(read_csv(own, ("path", self.label_column)), own)
        if both.is_file():
            rows = read_csv(both, ("path", self.label_column, "is_valid"))
            return self._from_rows([row for row in rows if _split(row["is_valid"], both) == split], both)
        return self._from_folders(split)

    def _from_rows(self, rows: list[dict[str, str]], source: Path) -> Listing:
        return Listing.of((row["path"], _label(row[self.label_column], source)) for row in rows)

    def _from_folders(self, split: str) -> Listing:
        if self.label_column != "noisy_labels_0":
            raise HeatmarkError(f"{self.folder} has no {split}.csv to read label_column {self.label_column!r} from")
        folder = self.folder / split
        return Listing.of(
            (path.relative_to(self.folder).as_posix(), _label(class_folder.name, folder))
            for class_folder in class_folders(folder)
            for path in image_files(class_folder)
        )


def _label(wnid: str, source: Path) -> int:
    if wnid not in _CLASSES:
        raise HeatmarkError(f"{source}: class {wnid!r} is not one of Imagenette's ten; {nearest(wnid, _CLASSES)}")
    return list(_CLASSES).index(wnid)


def _split(is_valid: str, source: Path) -> str:
    if is_valid not in ("True", "False"):
        raise HeatmarkError(f"{source}: is_valid is {is_valid!r}, expected True or False")
    return "val" if is_valid == "True" else "train"
