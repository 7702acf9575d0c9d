"""Data sets of torchvision for image classification, by the names of their classes: `torchvision:Imagenette`."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
import torchvision.datasets as library
from torch import Tensor

from bench.api import Dataset, HeatmarkError
from bench.api.adapter import adapted_class, refuse, settings_of
from bench.data.file_hashes import content_hashes
from bench.data.library_dataset import LibraryDataset, Opened, pixels_hash


def _trimap(item: Any) -> Tensor:
    """The animal of an Oxford pet 1, what lies around it 0, the border, which annotators left open, one half."""
    values = np.asarray(item[1][1])
    return torch.from_numpy((values == 1) + 0.5 * (values == 3)).float()


@dataclass(frozen=True)
class _Kind:
    """How a class of the library is called for each split, and what else it is asked for.

    `renamed`: settings under another name than the library's, which a suite uses for something else. `count`: how many
    classes there are, where the library has no names for them. `truth`: the truth map in an item of the library's
    class asked for `masked`.
    """

    splits: Mapping[str, Mapping[str, Any]]
    renamed: Mapping[str, str] = field(default_factory=dict)
    masked: Mapping[str, Any] = field(default_factory=dict)
    count: int = 0
    truth: Callable[[Any], Tensor] | None = None


def _by(parameter: str, *names: str) -> dict[str, Mapping[str, Any]]:
    return {name: {parameter: name} for name in names}


_FLAG = {"train": {"train": True}, "test": {"train": False}}
_TWO, _THREE = _by("split", "train", "test"), _by("split", "train", "val", "test")
WORKING = {
    **dict.fromkeys(("CIFAR10", "CIFAR100", "FashionMNIST", "KMNIST", "MNIST", "QMNIST"), _Kind(_FLAG)),
    **dict.fromkeys(("Caltech101", "Caltech256", "EuroSAT", "SUN397"), _Kind({"all": {}})),
    **dict.fromkeys(("DTD", "Flowers102", "RenderedSST2"), _Kind(_THREE)),
    **dict.fromkeys(("Food101", "STL10", "StanfordCars", "LFWPeople"), _Kind(_TWO)),
    **dict.fromkeys(("ImageNet", "Imagenette"), _Kind(_by("split", "train", "val"))),
    "CLEVRClassification": _Kind(_by("split", "train", "val"), count=11),
    "Country211": _Kind(_by("split", "train", "valid", "test")),
    "EMNIST": _Kind(_FLAG, renamed={"characters": "split"}),
    "FER2013": _Kind(_TWO, count=7),
    "FGVCAircraft": _Kind(_by("split", "train", "val", "trainval", "test")),
    "GTSRB": _Kind(_TWO, count=43),
    "INaturalist": _Kind(_by("version", "2021_train_mini", "2021_train", "2021_valid")),
    "OxfordIIITPet": _Kind(
        _by("split", "trainval", "test"), masked={"target_types": ("category", "segmentation")}, truth=_trimap
    ),
    "PCAM": _Kind(_THREE, count=2),
    "Places365": _Kind(_by("split", "train-standard", "val")),
    "SEMEION": _Kind({"all": {}}, count=10),
    "SVHN": _Kind(_by("split", "train", "extra", "test"), count=10),
    "USPS": _Kind(_FLAG, count=10),
}
_CAPTIONS, _BOXES, _SEGMENTS = "it has captions", "it has boxes of many objects", "it has a class for every pixel"
_FLOW, _STEREO, _VIDEO = "it has the motion between two images", "it has the depth of two images", "it has videos"
_FOLDER = "use the data set image_folder"
REFUSED = {
    "CelebA": "it has forty attributes of a face, not one class",
    "FakeData": "its images are noise",
    "LSUN": "it takes the package lmdb and millions of images; use image_folder on a part of it",
    "Omniglot": "its two splits have no class in common",
    "VisionDataset": "it is the base class of the others",
    "wrap_dataset_for_transforms_v2": "it is no data set",
    **dict.fromkeys(("CocoCaptions", "Flickr30k", "Flickr8k", "SBU"), _CAPTIONS),
    **dict.fromkeys(("CocoDetection", "Kitti", "VOCDetection", "WIDERFace"), _BOXES),
    **dict.fromkeys(("Cityscapes", "SBDataset", "VOCSegmentation"), _SEGMENTS),
    **dict.fromkeys(("FlyingChairs", "FlyingThings3D", "HD1K", "KittiFlow", "Sintel"), _FLOW),
    **dict.fromkeys(("CREStereo", "CarlaStereo", "ETH3DStereo", "FallingThingsStereo", "InStereo2k"), _STEREO),
    **dict.fromkeys(("Kitti2012Stereo", "Kitti2015Stereo", "Middlebury2014Stereo", "SceneFlowStereo"), _STEREO),
    **dict.fromkeys(("SintelStereo",), _STEREO),
    **dict.fromkeys(("HMDB51", "Kinetics", "MovingMNIST", "UCF101"), _VIDEO),
    **dict.fromkeys(("LFWPairs", "PhotoTour"), "it has pairs of images"),
    **dict.fromkeys(("DatasetFolder", "ImageFolder", "LSUNClass"), _FOLDER),
}
# What this project gives or fixes itself.
_GIVEN = ("split", "train", "version", "download", "target_type", "target_types", "compat", "allow_empty")


@dataclass(frozen=True)
class TorchvisionDataset(LibraryDataset):
    """A data set as torchvision reads it; settings are those of its constructor.

    `root`: the folder that torchvision calls so, `data` unless set. Images are turned into RGB.
    """

    root: str = "data"

    target: ClassVar[Any]
    kind: ClassVar[_Kind]

    def opened(self, split: str) -> Opened:
        """A split, its images in the order of their files where it has files."""
        own = {self.kind.renamed.get(key, key): value for key, value in self.settings.items() if key != "download"}
        asked = {**own, **self.kind.splits[split], "root": str(Path(self.root).expanduser())}
        # Said in any case: some classes download unless told not to.
        if "download" in inspect.signature(self.target.__init__).parameters or self.download:
            asked["download"] = self.download
        try:
            found = self.target(**asked)
            masked = self.target(**asked, **self.kind.masked) if self.kind.masked else found
            labels, files = _labels(found), _files(found)
        except (RuntimeError, OSError, ValueError, TypeError, ImportError) as error:
            said = " ".join(str(error).split())
            raise HeatmarkError(
                f"{self.name} {split}: {said} (torchvision); expected it in {self.root}, or `download = true`"
            ) from error
        order = sorted(range(len(labels)), key=lambda i: files[i]) if files else list(range(len(labels)))
        root, map_in = Path(self.root).expanduser(), self.kind.truth
        truth = None if map_in is None else lambda position: map_in(masked[order[position]])
        return Opened(
            tuple(Path(os.path.relpath(files[i], root)).as_posix() if files else f"{split}/{i:06d}" for i in order),
            tuple(labels[i] for i in order),
            _classes(found, self.kind.count),
            lambda position: found[order[position]][0],
            lambda: _contents(found, order, files, truth),
            truth,
            tuple(getattr(found, "wnids", ())),
        )


def _labels(found: Any) -> list[int]:
    """The label of every image; images are read only where the library has no list of labels."""
    for name in ("targets", "labels", "_labels", "y"):
        if hasattr(found, name):
            values = np.asarray(getattr(found, name))
            return [int(label) for label in (values[:, 0] if values.ndim > 1 else values)]
    if hasattr(found, "all_categories"):
        return [label for label, _ in found.index]
    labels = [label for _, label in (getattr(found, "_samples", None) or (found[i] for i in range(len(found))))]
    if None in labels:
        raise ValueError("the images of this split have no labels")
    return [int(label) for label in labels]


def _files(found: Any) -> list[str]:
    """The file of every image; none where several share one."""
    if hasattr(found, "all_categories"):
        return [str(Path(found.root, found.all_categories[label], file)) for label, file in found.index]
    for name in ("_images", "_image_files", "samples", "_samples", "imgs", "data"):
        items = getattr(found, name, None)
        if isinstance(items, list) and items:
            files = [item[0] if isinstance(item, tuple) else item for item in items]
            return [str(file) for file in files] if isinstance(files[0], str | Path) else []
    return []


def _classes(found: Any, count: int) -> tuple[str, ...]:
    """The names of the classes, the first where the library has several for one."""
    if count:
        return tuple(str(number) for number in range(count))
    for name in ("classes", "categories", "all_categories", "class_to_idx"):
        if hasattr(found, name):
            return tuple(own if isinstance(own, str) else own[0] for own in getattr(found, name))
    raise HeatmarkError(f"torchvision's {type(found).__name__} has no names of classes")


def _contents(
    found: Any, order: Sequence[int], files: Sequence[str], truth: Callable[[int], Tensor] | None
) -> Iterator[str]:
    hashes = iter(content_hashes(Path(files[i]) for i in order)) if files else None
    for position, i in enumerate(order):
        own = pixels_hash(found[i][0]) if hashes is None else next(hashes)
        yield own if truth is None else own + pixels_hash(truth(position))


def names() -> tuple[str, ...]:
    """The data sets that work."""
    return tuple(sorted(WORKING))


@cache
def plugin(name: str) -> type[Dataset]:
    """The plug-in class of one of the library's data sets; HeatmarkError where there is none."""
    if name not in WORKING:
        raise refuse("torchvision", name, REFUSED, names())
    target, kind = getattr(library, name), WORKING[name]
    settings = settings_of(target.__init__, leaving=_GIVEN) | dict.fromkeys(kind.renamed, "balanced")
    made = adapted_class(TorchvisionDataset, "torchvision", target, settings)
    made.splits, made.kind = tuple(kind.splits), kind
    return made
