from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.datasets.pascal_voc import CLASSES, PascalVoc
from bench.errors import HeatmarkError

OBJECT = """<object><name>{name}</name><pose>Left</pose><truncated>0</truncated><difficult>{difficult}</difficult>
<bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"""
HEIGHT, WIDTH = 6, 8
# By image: its objects, as the files have them (pixels from 1, the last one included).
OBJECTS = {
    "2007_000001": [("dog", 0, (1, 1, 2, 2)), ("cat", 0, (3, 2, 8, 6)), ("dog", 1, (1, 6, 2, 6))],
    "2007_000002": [("dog", 0, (2, 3, 4, 5)), ("person", 1, (1, 1, 8, 6))],
    "2007_000003": [("person", 1, (1, 1, 8, 6))],
    "2007_000004": [("tvmonitor", 0, (1, 1, 8, 1)), ("sheep", 0, (1, 2, 4, 3))],
}


def annotation(objects: list[tuple[str, int, tuple[int, ...]]], width: int = WIDTH) -> str:
    found = "".join(OBJECT.format(name=name, difficult=difficult, box=box) for name, difficult, box in objects)
    size = f"<size><width>{width}</width><height>{HEIGHT}</height><depth>3</depth></size>"
    return f"<annotation><folder>VOC2012</folder>{size}<segmented>1</segmented>{found}</annotation>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four images in the layout of VOCdevkit/VOC2012, masks of two of them."""
    for folder in ("Annotations", "JPEGImages", "SegmentationClass", "ImageSets/Main", "ImageSets/Segmentation"):
        (tmp_path / folder).mkdir(parents=True)
    for number, (name, objects) in enumerate(OBJECTS.items()):
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"JPEGImages/{name}.jpg")
        (tmp_path / f"Annotations/{name}.xml").write_text(annotation(objects))
        write_mask(tmp_path, name, CLASSES.index(objects[0][0]) + 1)
    (tmp_path / "ImageSets/Main/train.txt").write_text("2007_000004\n")
    (tmp_path / "ImageSets/Main/val.txt").write_text("2007_000001\n2007_000002\n2007_000003\n")
    (tmp_path / "ImageSets/Segmentation/val.txt").write_text("2007_000001\n2007_000002\n")
    return tmp_path


def write_mask(root: Path, name: str, number: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> None:
    values = np.zeros(shape, np.uint8)
    values[1:3, 2:5], values[3, 2:5] = number, 255
    mask = Image.fromarray(values, "P")
    mask.putpalette([level for number in range(256) for level in (number, 255 - number, 7)])
    mask.save(root / f"SegmentationClass/{name}.png")


def dataset(root: Path, **settings: str) -> PascalVoc:
    return PascalVoc(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(("split", "settings"), [("train", {}), ("val", {}), ("val", {"truth": "mask"})])
def test_conformance(root: Path, check, split: str, settings: dict[str, str]) -> None:
    check(dataset(root, **settings), split)


def test_the_class_with_most_pixels_is_explained_and_difficult_objects_decide_nothing(root: Path) -> None:
    data = dataset(root)
    assert data.present == ("train", "val")
    assert data.ids("val") == ("JPEGImages/2007_000001.jpg", "JPEGImages/2007_000002.jpg")
    assert [data.classes[label] for label in data.labels("val")] == ["cat", "dog"]
    assert [data.classes[label] for label in data.labels("train")] == ["tvmonitor"]
    first, second = (data.sample("val", position).truth for position in (0, 1))
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[1:6, 2:8] = 1
    assert torch.equal(first, expected)
    assert second.sum() == 9
    assert second[2:5, 1:4].all()


@pytest.mark.parametrize(
    ("explained", "shown"), [("only", {"2007_000002": 9}), ("dog", {"2007_000001": 6, "2007_000002": 9})]
)
def test_what_is_explained_can_be_set(root: Path, explained: str, shown: dict[str, int]) -> None:
    data = dataset(root, explained=explained)
    assert data.ids("val") == tuple(f"JPEGImages/{name}.jpg" for name in shown)
    assert set(data.labels("val")) == {CLASSES.index("dog")}
    assert [int(data.sample("val", position).truth.sum()) for position in range(len(shown))] == list(shown.values())


def test_masks_are_the_pixels_of_the_class_without_the_void(root: Path) -> None:
    data = dataset(root, truth="mask", explained="dog")
    truth = data.sample("val", 0).truth
    assert truth.sum() == 6
    assert truth[1:3, 2:5].all()
    assert dataset(root, truth="none").sample("val", 0).truth is None
    before = data.fingerprint()
    write_mask(root, "2007_000001", 3)
    assert dataset(root, truth="mask", explained="dog").fingerprint() != before


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("Annotations/2007_000001.xml", annotation([("cta", 0, (1, 1, 2, 2))]), "no class 'cta'; did you mean 'cat'"),
        ("Annotations/2007_000001.xml", "<annotation", "is no annotation of Pascal VOC"),
        ("Annotations/2007_000001.xml", "<annotation></annotation>", "nothing in 'size/height'"),
        ("Annotations/2007_000001.xml", annotation([("cat", 0, ("x", 1, 2, 2))]), "could not convert"),
        ("Annotations/2007_000001.xml", annotation([("cat", 0, (1, 1, 2, 2))], 9), r"is 9x6, and it is 8x6$"),
        ("ImageSets/Main/val.txt", "2007_000001 1\n", "val.txt line 1 has 2 fields, expected 1"),
        ("ImageSets/Main/val.txt", "2007_000009\n", "no annotation .*2007_000009.xml, but its image is listed"),
        ("SegmentationClass/2007_000001.png", "no picture", "2007_000001.png cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root: Path, file: str, text: str, message: str) -> None:
    (root / file).write_text(text)
    data = dataset(root, truth="mask" if file.startswith("Segm") else "box")
    with pytest.raises(HeatmarkError, match=message) as raised:
        data.sample("val", 0)
    assert "\n" not in str(raised.value)


def test_a_mask_of_another_size_number_or_kind_is_refused(root: Path) -> None:
    for shape, number, message in (((5, 8), 1, "is 8x5, its image 8x6"), ((6, 8), 21, "number 21; expected 0 to 20")):
        write_mask(root, "2007_000001", number, shape)
        with pytest.raises(HeatmarkError, match=message):
            dataset(root, truth="mask").sample("val", 0)
    Image.new("RGB", (8, 6)).save(root / "SegmentationClass/2007_000001.png")
    with pytest.raises(HeatmarkError, match="is of mode RGB; expected a palette"):
        dataset(root, truth="mask").sample("val", 0)


def test_an_unknown_class_a_wrong_folder_and_a_split_that_is_not_there(root: Path) -> None:
    with pytest.raises(HeatmarkError, match="explained: no class or rule 'horses'; did you mean 'horse'"):
        dataset(root, explained="horses").ids("val")
    with pytest.raises(HeatmarkError, match="has no image of split 'val'; expected JPEGImages"):
        dataset(root / "JPEGImages").ids("val")
    with pytest.raises(HeatmarkError, match="no image of split 'test'"):
        dataset(root).ids("test")
    (root / "JPEGImages/2007_000001.jpg").unlink()
    with pytest.raises(HeatmarkError, match=r"no image file .*2007_000001.jpg"):
        dataset(root).sample("val", 0)
