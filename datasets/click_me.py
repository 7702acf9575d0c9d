"""ClickMe: photographs of ImageNet, and where people clicked to tell what they show."""

import hashlib
import io
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from bench.api import Dataset, HeatmarkError, Sample
from bench.data.file_hashes import content_hashes
from bench.data.folders import existing_folder
from bench.data.imagenet_classes import WNIDS, imagenet_names
from bench.data.tf_records import feature, record_places
from bench.errors import nearest

_STORED, _BLURRED = 256, 64
_KERNEL, _SIGMA = 10, 10


@dataclass(frozen=True)
class ClickMe(Dataset):
    """ClickMe: photographs of ImageNet with maps of where people clicked.

    `root` holds the authors' shards as they lie on their server, val/val-0.tfrecords to val-16 and train/train-0 to
    train-317, or as Keras keeps them, clickme_val_0 and so on. The image and the map of a record (256 x 256) are scaled
    to `side` as the authors do, bilinear without antialiasing; the map is blurred at 64 x 64 before.

    Published as human alignment: `rank_correlation(ceiling=0.65753)` and `dice`, for images of 224 pixels.
    """

    root: str = ""
    side: int = 224

    display: ClassVar[str] = "ClickMe"
    reference: ClassVar[str] = "Linsley et al., 2019, arXiv:1805.08819; Fel et al., 2022, arXiv:2211.04533"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names in the order of the outputs of ImageNet's networks."""
        return imagenet_names()

    @property
    def wordnet_ids(self) -> tuple[str, ...]:
        """The ids of all classes."""
        return WNIDS

    @property
    def present(self) -> tuple[str, ...]:
        """The splits that have shards below this root."""
        return tuple(split for split in self.splits if self._shards(split))

    def ids(self, split: str) -> tuple[str, ...]:
        """The split, the shard's number and the record's position in it."""
        return tuple(image for image, _, _ in self._records(split))

    def labels(self, split: str) -> tuple[int, ...]:
        """Labels in the order of `ids`."""
        if split not in self._labels:
            self._labels[split] = tuple(self._label(*place) for place in self._records(split))
        return self._labels[split]

    def sample(self, split: str, position: int) -> Sample:
        """An image, and the map of the clicks on it, blurred, in [0, 1]."""
        image_id, path, place = self._records(split)[position]
        record, where = _bytes(path, place), f"{path}: record {image_id}"
        image, clicks = _decoded(record, "image", "RGB", where), _decoded(record, "heatmap", "L", where)
        truth = _scaled(_blurred(_scaled(clicks, _BLURRED)), self.side)[0].clamp(0, 1)
        return Sample(image_id, _scaled(image, self.side), self.labels(split)[position], truth)

    def fingerprint(self) -> str:
        """The settings but the root, and the contents of the shards."""
        shards = [path for split in self.splits for path in self._shards(split)]
        said = (self.name, self.side, [path.name for path in shards], list(content_hashes(shards)))
        return hashlib.sha256(repr(said).encode()).hexdigest()

    @property
    def label(self) -> str:
        """The label without the place of the folder, which differs from machine to machine."""
        return type(self)(side=self.side).label if self.root else super().label

    def _records(self, split: str) -> list[tuple[str, Path, tuple[int, int]]]:
        """Id, file and place of each record of a split; HeatmarkError where there are none."""
        if split not in self.splits:
            raise HeatmarkError(f"data set 'click_me' has no split {split!r}; {nearest(split, self.splits)}")
        if split not in self._found:
            self._found[split] = [
                (f"{split}/{_number(path):03d}/{position:05d}", path, place)
                for path in self._shards(split)
                for position, place in enumerate(record_places(path))
            ]
        if not self._found[split]:
            raise HeatmarkError(f"{self.root} has no shard of split {split!r}; expected {split}/{split}-0.tfrecords")
        return self._found[split]

    def _shards(self, split: str) -> list[Path]:
        """The files of a split by number."""
        if not self.root:
            raise HeatmarkError("data set 'click_me': set `root` to the folder that holds val/val-0.tfrecords")
        folder = existing_folder(Path(self.root).expanduser(), "val/val-0.tfrecords or clickme_val_0, and so on")
        server = [path for path in folder.glob(f"{split}/{split}-*.tfrecords") if _number(path) >= 0]
        kept = [path for path in folder.glob(f"clickme_{split}_*") if _number(path) >= 0]
        return sorted(server or kept, key=_number)

    def _label(self, image_id: str, path: Path, place: tuple[int, int]) -> int:
        found = _read(_bytes(path, place), "label", f"{path}: record {image_id}")
        if not isinstance(found, int) or not 0 <= found < len(WNIDS):
            raise HeatmarkError(f"{path}: record {image_id}: label {found!r}; expected 0 to {len(WNIDS) - 1}")
        return found

    @cached_property
    def _found(self) -> dict[str, list[tuple[str, Path, tuple[int, int]]]]:
        return {}

    @cached_property
    def _labels(self) -> dict[str, tuple[int, ...]]:
        return {}


def _number(path: Path) -> int:
    """The number of a shard; -1 where the file is none."""
    found = re.fullmatch(r"(?:train|val)-(\d+)\.tfrecords|clickme_(?:train|val)_(\d+)", path.name)
    return int(found[1] or found[2]) if found else -1


def _bytes(path: Path, place: tuple[int, int]) -> bytes:
    with path.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _read(record: bytes, name: str, where: str) -> bytes | int:
    try:
        found = feature(record, name)
    except ValueError as error:
        raise HeatmarkError(f"{where}: {error}") from error
    if found is None:
        raise HeatmarkError(f"{where} has no {name!r}; expected image, heatmap and label")
    return found


def _decoded(record: bytes, name: str, mode: str, where: str) -> Tensor:
    """A picture inside a record, (channel, height, width) in [0, 1]; HeatmarkError where it is none of 256 x 256."""
    content = _read(record, name, where)
    try:
        if isinstance(content, int):
            raise ValueError("a number in the place of a picture")
        with Image.open(io.BytesIO(content)) as file:
            pixels = np.array(file.convert(mode))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise HeatmarkError(f"{where}: {name} cannot be read: {error}") from error
    if pixels.shape[:2] != (_STORED, _STORED):
        raise HeatmarkError(f"{where}: {name} is {pixels.shape[1]}x{pixels.shape[0]}; expected {_STORED}x{_STORED}")
    return torch.from_numpy(pixels.reshape(_STORED, _STORED, -1)).permute(2, 0, 1).float() / 255


def _scaled(image: Tensor, side: int) -> Tensor:
    return F.interpolate(image[None], (side, side), mode="bilinear", align_corners=False)[0]


def _blurred(image: Tensor) -> Tensor:
    """A map (1, height, width) by the authors' Gaussian of 10 x 10, half a pixel off; zeros around it."""
    steps = torch.arange(_KERNEL) - _KERNEL // 2
    bump = torch.exp(-(steps.double() ** 2) / (2 * _SIGMA**2))
    weights = torch.outer(bump.flip(0), bump)
    before = (_KERNEL - 1) // 2
    after = _KERNEL - 1 - before
    padded = F.pad(image[None].double(), (before, after, before, after))
    return F.conv2d(padded, (weights / weights.sum())[None, None])[0].float()
