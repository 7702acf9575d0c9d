"""What data sets made of image files share: a root, listings read once, paths that stay below the root."""

import csv
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, final

from torch import Tensor

from bench.api import Dataset, Sample
from bench.api.dataset import Without
from bench.data.file_hashes import content_hashes
from bench.data.transforms import inside, read_image
from bench.errors import HeatmarkError, nearest

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


@dataclass(frozen=True)
class Listing:
    """The images of a split, in a fixed order: their paths below the root, which are their ids, and labels."""

    ids: tuple[str, ...]
    labels: tuple[int, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, int]]) -> "Listing":
        """From (path, label) pairs."""
        rows = list(pairs)
        return cls(tuple(path for path, _ in rows), tuple(label for _, label in rows))


@dataclass(frozen=True)
class FolderDataset(Dataset):
    """A data set whose images are files below `root`; a subclass says which, and what their truth is.

    `only_present` leaves out images that are listed and have no file; otherwise asking for one is an error.
    Errors name the path or the setting: a missing folder, a file that leaves the root, an empty split.
    """

    root: str = ""
    only_present: bool = False
    layout: ClassVar[str] = "the images"
    splitting: ClassVar[str] = ""  # how settings part the images into splits, which goes on where `layout` ends

    @abstractmethod
    def listing(self, split: str) -> Listing:
        """The images of a split, read from lists or folders; no image is opened."""

    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:  # noqa: ARG002
        """The truth map (height, width) in [0, 1] and the fixations (count, 4) of an image, where it has them."""
        return None, None

    def without_of(self, image_id: str) -> Without | None:  # noqa: ARG002
        """What gives the image with parts of its truth map gone, where there are such images."""
        return None

    def truth_files(self) -> Iterable[Path]:
        """The files besides the images that decide the truth."""
        return ()

    @property
    def folder(self) -> Path:
        """The root as a path; raises HeatmarkError when it is not set or not there."""
        if not self.root:
            raise HeatmarkError(f"data set {self.name!r}: set `root` to the folder that holds {self.layout}")
        return existing_folder(Path(self.root).expanduser(), self.layout)

    @property
    def present(self) -> tuple[str, ...]:
        """The splits that have images below this root."""
        return tuple(split for split in self.splits if self._listed(split).ids)

    @property
    def label(self) -> str:
        """The label without the places of folders, which differ from machine to machine."""
        placed: dict[str, Any] = {key: "" for key, value in self.settings.items() if key.endswith("root") and value}
        return replace(self, **placed).label if placed else super().label

    @final
    def ids(self, split: str) -> tuple[str, ...]:
        """Paths below the root."""
        return self._filled(split).ids

    @final
    def labels(self, split: str) -> tuple[int, ...]:
        """Labels in the order of `ids`."""
        return self._filled(split).labels

    @final
    def sample(self, split: str, position: int) -> Sample:
        """One image with its label, truth and fixations."""
        listed = self._filled(split)
        path = self.folder / listed.ids[position]
        if not path.is_file():
            raise HeatmarkError(f"no image file {path}, but it is listed; `only_present = true` leaves such images out")
        image = read_image(path)
        truth, fixations = self.truth_of(listed.ids[position], image)
        own, label = listed.ids[position], listed.labels[position]
        return Sample(own, image, label, truth, fixations, self.without_of(own))

    @final
    def fingerprint(self) -> str:
        """A hash of the settings (but not of where the folders lie), and of names, labels and contents of files."""
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        """Made once: it reads every file that has changed since it was read last."""
        digest = hashlib.sha256(repr((self.name, self._deciding_settings())).encode())
        for split in self.splits:
            listed = self._listed(split)
            contents = content_hashes(self.folder / image_id for image_id in listed.ids)
            for image_id, label, content in zip(listed.ids, listed.labels, contents, strict=True):
                digest.update(f"{split} {image_id} {label} {content}\n".encode())
        truths = list(self.truth_files())
        for path, content in zip(truths, content_hashes(truths), strict=True):
            digest.update(f"{path.name} {content}\n".encode())
        return digest.hexdigest()

    def _deciding_settings(self) -> dict[str, Any]:
        return {key: value for key, value in self.settings.items() if not key.endswith("root")}

    def _filled(self, split: str) -> Listing:
        listed = self._listed(split)
        if not listed.ids:
            raise HeatmarkError(
                f"{self.folder} has no image of split {split!r}; expected {self.layout}{self.splitting}"
            )
        return listed

    def _listed(self, split: str) -> Listing:
        if split not in self.splits:
            raise HeatmarkError(f"data set {self.name!r} has no split {split!r}; {nearest(split, self.splits)}")
        if split not in self._listings:
            self._listings[split] = self._checked(split, self.listing(split))
        return self._listings[split]

    @cached_property
    def _listings(self) -> dict[str, Listing]:
        return {}

    def _checked(self, split: str, listed: Listing) -> Listing:
        folder, kept = self.folder, {}
        for image_id, label in zip(listed.ids, listed.labels, strict=True):
            if image_id in kept:
                raise HeatmarkError(f"data set {self.name!r}: {image_id} is listed twice in split {split!r}")
            path = inside(folder, image_id)
            if not self.only_present or path.is_file():
                kept[image_id] = label
        return Listing.of(kept.items())


def existing_folder(path: Path, layout: str) -> Path:
    """The path, or a HeatmarkError that says what it was expected to hold."""
    if not path.is_dir():
        raise HeatmarkError(f"no folder {path}; expected it to hold {layout}")
    return path


def image_files(folder: Path) -> list[Path]:
    """The image files directly in a folder, by name; hidden ones are left out."""
    files = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")]
    return sorted(files, key=lambda path: path.name)


def class_folders(folder: Path) -> list[Path]:
    """The folders directly in a folder, by name; hidden ones are left out. None in a folder that is not there."""
    inner = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in inner if path.is_dir() and not path.name.startswith("."))


def read_csv(path: Path, columns: Iterable[str]) -> list[dict[str, str]]:
    """The rows of a CSV file with a header; raises HeatmarkError when a column or a field is missing."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            header = reader.fieldnames or ()
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise HeatmarkError(f"{path} cannot be read as a CSV file: {error}") from error
    for column in columns:
        if column not in header:
            raise HeatmarkError(f"{path} has no column {column!r}; {nearest(column, header)}")
        for number, row in enumerate(rows, 2):
            if not row[column]:
                raise HeatmarkError(f"{path} line {number} has nothing in column {column!r}")
    return rows


def read_lines(path: Path, fields: int) -> list[list[str]]:
    """The lines of a text file split at blanks into `fields` parts; raises HeatmarkError naming a line that differs."""
    if not path.is_file():
        raise HeatmarkError(f"no file {path}")
    rows = [line.split() for line in text_lines(path) if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != fields:
            raise HeatmarkError(f"{path} line {number} has {len(row)} fields, expected {fields}")
    return rows


def read_json(path: Path) -> Any:
    """What a JSON file holds; HeatmarkError where it cannot be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise HeatmarkError(f"{path} cannot be read as JSON: {error}") from error


def text_lines(path: Path) -> list[str]:
    """The lines of a text file; HeatmarkError where it cannot be read or is no UTF-8."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HeatmarkError(f"{path} cannot be read as text: {error}") from error
