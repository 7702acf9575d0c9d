"""Any folder of images."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from bench.api import HeatmarkError
from bench.data.folders import FolderDataset, Listing, class_folders, existing_folder, image_files
from bench.data.transforms import check_size, read_mask

_MASKS = "masks"


@dataclass(frozen=True)
class ImageFolder(FolderDataset):
    """Any folder of images, one folder inside it for each class.

    `root` holds <class>/*. Truth maps, where there are some, are <class>/<name of the image>.png below
    `mask_root`, or in root/masks (which is no class), white where the evidence is. Once there are masks, every
    image needs one of its own size. `held_out` is the share of the images that are split `val`, decided by each
    path alone, so that a new image moves no other; the rest is `train`.
    """

    mask_root: str = ""
    held_out: float = 1.0

    layout: ClassVar[str] = "a folder of images for each class"
    splitting: ClassVar[str] = ", `held_out` of them (by default all) in split 'val'"

    def __post_init__(self) -> None:
        if not 0 <= self.held_out <= 1:
            raise ValueError(f"held_out {self.held_out}: expected a share between 0 and 1")

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the folders."""
        return tuple(folder.name for folder in self._class_folders())

    def listing(self, split: str) -> Listing:
        """The images of a split, by class and name."""
        pairs = [
            (f"{folder.name}/{path.name}", label)
            for label, folder in enumerate(self._class_folders())
            for path in image_files(folder)
        ]
        if not pairs:
            raise HeatmarkError(f"{self.folder} has no image in the folders inside it; expected {self.layout}")
        return Listing.of(pair for pair in pairs if self._split(pair[0]) == split)

    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The image's mask, where there are masks."""
        masks = self._masks()
        if masks is None:
            return None, None
        path = (masks / image_id).with_suffix(".png")
        if not path.is_file():
            raise HeatmarkError(f"no mask {path} for the image {image_id}; other images have one")
        mask = read_mask(path)
        check_size(f"mask {path}", mask.shape, image.shape[1:])
        return mask, None

    def truth_files(self) -> Iterable[Path]:
        """All masks."""
        masks = self._masks()
        return () if masks is None else (path for folder in class_folders(masks) for path in image_files(folder))

    def _class_folders(self) -> list[Path]:
        found = [folder for folder in class_folders(self.folder) if folder.name != _MASKS]
        if not found and image_files(self.folder):
            raise HeatmarkError(f"images lie directly in {self.folder}; expected {self.layout} inside it")
        return found

    def _masks(self) -> Path | None:
        if self.mask_root:
            return existing_folder(Path(self.mask_root).expanduser(), "<class>/*.png")
        inner = self.folder / _MASKS
        return inner if inner.is_dir() else None

    def _split(self, image_id: str) -> str:
        share = int.from_bytes(hashlib.sha256(image_id.encode()).digest()[:8], "big") / 2**64
        return "val" if share < self.held_out else "train"
