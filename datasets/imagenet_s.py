"""ImageNet-S: photographs of ImageNet with masks."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor

from bench.api import HeatmarkError
from bench.data.folders import FolderDataset, Listing, class_folders, image_files
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.data.imagenet_s_classes import wnids_of
from bench.data.transforms import check_size, read_image
from bench.errors import nearest

_FOLDERS = {"train": "train-semi", "val": "validation"}


@dataclass(frozen=True)
class ImagenetS(FolderDataset):
    """ImageNet-S: photographs of ImageNet with the pixels of their class.

    `root` is ImageNetS919, ImageNetS300 or ImageNetS50, and `subset` says which: the numbers in the masks count the
    sorted classes of that one from 1. It holds validation/<wnid>/*.JPEG and validation-segmentation/<wnid>/*.png; split
    `train` are the images of train-semi, which have masks too. The truth are the pixels of the image's own class; those
    that nobody decided about (1000) are none of it. Five pairs of classes are one in the 919.
    """

    subset: Literal[50, 300, 919] = 919

    display: ClassVar[str] = "ImageNet-S"
    reference: ClassVar[str] = "Gao et al., 2022, arXiv:2106.03149"
    layout: ClassVar[str] = "validation/<wnid>/*.JPEG and validation-segmentation/<wnid>/*.png"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names as ImageNet's networks have them, in the order of the numbers in the masks."""
        names = dict(zip(WNIDS, imagenet_names(), strict=True))
        return tuple(names[wnid] for wnid in self.wordnet_ids)

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The ids of the classes, which are the names of the folders."""
        return wnids_of(self.subset)

    def listing(self, split: str) -> Listing:
        """The images of a split by folder and name."""
        place = _FOLDERS[split]
        return Listing.of(
            (f"{place}/{folder.name}/{path.name}", self._label(folder))
            for folder in class_folders(self.folder / place)
            for path in image_files(folder)
        )

    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The pixels of the image's class; a mask holds numbers as R + 256 G."""
        path = self._mask_file(image_id)
        colours = (read_image(path) * 255).round().long()
        check_size(f"mask {path}", colours.shape[1:], image.shape[1:])
        own = self._positions[Path(image_id).parent.name] + 1
        truth = colours[0] + 256 * colours[1] == own
        if not truth.any():
            raise HeatmarkError(f"mask {path} has no pixel of its class, {own} of {self.subset}; is `subset` right?")
        return truth.float(), None

    def truth_files(self) -> Iterable[Path]:
        """The masks of all images."""
        return (self._mask_file(image) for split in self.splits for image in self._listed(split).ids)

    def _mask_file(self, image_id: str) -> Path:
        place, wnid, name = image_id.split("/")
        return self.folder / f"{place}-segmentation" / wnid / f"{Path(name).stem}.png"

    def _label(self, folder: Path) -> int:
        if folder.name not in self._positions:
            hint = nearest(folder.name, self._positions)
            raise HeatmarkError(f"{folder}: {folder.name!r} is not one of the {self.subset} classes; {hint}")
        return self._positions[folder.name]

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {wnid: position for position, wnid in enumerate(self.wordnet_ids)}
