"""Pascal VOC: photographs of objects of twenty classes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

from torch import Tensor

from bench.api import HeatmarkError
from bench.data.annotated_objects import Annotated, AnnotatedObject, ObjectDataset
from bench.data.folders import read_lines
from bench.data.transforms import check_size, read_indices
from bench.errors import nearest

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog"),
    *("horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
_VOID = 255


@dataclass(frozen=True)
class PascalVoc(ObjectDataset):
    """Pascal VOC: photographs of objects of twenty classes, with boxes or masks.

    `root` is VOCdevkit/VOC2012, or that of another year. A split is listed by ImageSets/Main/<split>.txt, with masks
    by ImageSets/Segmentation/<split>.txt. An image shows objects of several classes: `explained` says which one is its
    label, `largest` (whose boxes have most pixels together), `only` (images of one class alone), or the name of a
    class (the images that show it). The truth are the boxes of all objects of that class, or their pixels in
    SegmentationClass without the void border. Objects marked difficult are part of the truth and decide no label.
    """

    display: ClassVar[str] = "Pascal VOC"
    reference: ClassVar[str] = "Everingham et al., 2010, doi:10.1007/s11263-009-0275-4"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    layout: ClassVar[str] = "JPEGImages/*.jpg, Annotations/*.xml and ImageSets/Main/*.txt, as VOCdevkit/VOC2012 does"

    @property
    def classes(self) -> tuple[str, ...]:
        """The twenty classes by name."""
        return CLASSES

    def annotated(self, split: str) -> Mapping[str, Annotated]:
        """The images of the list of a split."""
        path = self.folder / "ImageSets" / ("Segmentation" if self.truth == "mask" else "Main") / f"{split}.txt"
        names = [name for (name,) in read_lines(path, 1)] if path.is_file() else []
        return {f"JPEGImages/{name}.jpg": _read(self.folder / "Annotations" / f"{name}.xml") for name in names}

    def mask(self, image_id: str, label: int, annotated: Annotated) -> Tensor:
        """The pixels of a class in SegmentationClass."""
        path = self._mask_file(image_id)
        values = read_indices(path)
        check_size(f"mask {path}", values.shape, annotated.size)
        unknown = values[(values > len(CLASSES)) & (values != _VOID)]
        if len(unknown):
            raise HeatmarkError(
                f"mask {path} has the number {int(unknown[0])}; expected 0 to {len(CLASSES)} or {_VOID}"
            )
        return (values == label + 1).float()

    def truth_files(self) -> Iterable[Path]:
        """The annotations, and the masks where they are used."""
        listed = [image for split in self.splits for image in self._listed(split).ids]
        yield from (self.folder / "Annotations" / f"{Path(image).stem}.xml" for image in listed)
        if self.truth == "mask":
            yield from (self._mask_file(image) for image in listed)

    def _mask_file(self, image_id: str) -> Path:
        return self.folder / "SegmentationClass" / f"{Path(image_id).stem}.png"


def _read(path: Path) -> Annotated:
    """An annotation; HeatmarkError naming the file and what is wrong with it."""
    if not path.is_file():
        raise HeatmarkError(f"no annotation {path}, but its image is listed")
    try:
        tree = ET.parse(path).getroot()  # noqa: S314 - the user's own download, of a few kilobytes
        size = (int(_text(tree, "size/height")), int(_text(tree, "size/width")))
        return Annotated(size, tuple(_object(own) for own in tree.iterfind("object")), path)
    except (ET.ParseError, UnicodeDecodeError, ValueError) as error:
        raise HeatmarkError(f"{path} is no annotation of Pascal VOC: {error}") from error


def _object(own: ET.Element) -> AnnotatedObject:
    """An object; its box is of pixels counted from 1, the last one included."""
    name = _text(own, "name")
    if name not in CLASSES:
        raise ValueError(f"no class {name!r}; {nearest(name, CLASSES)}")
    left, top, right, bottom = (float(_text(own, f"bndbox/{side}")) for side in ("xmin", "ymin", "xmax", "ymax"))
    counts = own.findtext("difficult", "0").strip() != "1"
    return AnnotatedObject(CLASSES.index(name), (left - 1, top - 1, right, bottom), counts)


def _text(tree: ET.Element, key: str) -> str:
    found = tree.findtext(key)
    if not found:
        raise ValueError(f"nothing in {key!r}")
    return found.strip()
