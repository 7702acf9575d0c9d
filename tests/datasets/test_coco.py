import copy
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.datasets.coco import Coco
from bench.errors import HeatmarkError

HEIGHT, WIDTH = 6, 8
INSTANCES: dict[str, Any] = {
    "info": {"year": 2017},
    "images": [
        {"id": 42, "file_name": "000000000042.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 7, "file_name": "000000000007.jpg", "height": HEIGHT, "width": WIDTH},
        {"id": 9, "file_name": "000000000009.jpg", "height": HEIGHT, "width": WIDTH},
    ],
    "annotations": [
        # A square of 2 x 3 pixels, in two polygons.
        {
            "id": 1,
            "image_id": 7,
            "category_id": 18,
            "bbox": [1, 2, 3, 2],
            "iscrowd": 0,
            "segmentation": [[1, 2, 3, 2, 3, 4, 1, 4], [3, 2, 4, 2, 4, 4, 3, 4]],
        },
        # Run lengths by column: the whole of the second column.
        {
            "id": 2,
            "image_id": 7,
            "category_id": 18,
            "bbox": [1, 0, 1, 6],
            "iscrowd": 1,
            "segmentation": {"size": [HEIGHT, WIDTH], "counts": [6, 6, 36]},
        },
        {
            "id": 3,
            "image_id": 7,
            "category_id": 1,
            "bbox": [0, 0, 2, 1],
            "iscrowd": 0,
            "segmentation": [[0, 0, 2, 0, 2, 1, 0, 1]],
        },
        {
            "id": 4,
            "image_id": 42,
            "category_id": 90,
            "bbox": [4.5, 0, 2, 6],
            "iscrowd": 0,
            "segmentation": [[4, 0, 7, 0, 7, 6, 4, 6]],
        },
    ],
    # Ids have gaps, and stand in any order.
    "categories": [{"id": 90, "name": "toothbrush"}, {"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images of 2017's validation, and the annotations of a training set whose images are not here."""
    for number, own in enumerate(INSTANCES["images"]):
        path = tmp_path / "val2017" / own["file_name"]
        path.parent.mkdir(exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    write(tmp_path, INSTANCES)
    (tmp_path / "annotations/instances_train2017.json").write_text(json.dumps(INSTANCES))
    return tmp_path


def write(root: Path, instances: object) -> None:
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations/instances_val2017.json").write_text(json.dumps(instances))


def dataset(root: Path, **settings: str) -> Coco:
    return Coco(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("truth", ["box", "mask", "none"])
def test_conformance(root: Path, check, truth: str) -> None:
    check(dataset(root, truth=truth), "val")


def test_classes_are_by_id_images_by_id_and_those_without_objects_are_left_out(root: Path) -> None:
    data = dataset(root)
    assert data.classes == ("person", "dog", "toothbrush")
    assert data.present == ("val",)
    assert data.ids("val") == ("val2017/000000000007.jpg", "val2017/000000000042.jpg")
    assert data.labels("val") == (1, 2)


def test_boxes_and_masks_of_the_class_crowds_included(root: Path) -> None:
    boxes, masks = dataset(root), dataset(root, truth="mask")
    expected = torch.zeros(HEIGHT, WIDTH)
    expected[2:4, 1:4], expected[:, 1] = 1, 1
    assert torch.equal(boxes.sample("val", 0).truth, expected)
    assert torch.equal(masks.sample("val", 0).truth, expected)
    assert torch.equal(boxes.sample("val", 1).truth.sum(0), torch.tensor([0.0, 0, 0, 0, 6, 6, 0, 0]))
    assert torch.equal(masks.sample("val", 1).truth.sum(0), torch.tensor([0.0, 0, 0, 0, 6, 6, 6, 0]))


def test_run_lengths_as_text(root: Path) -> None:
    runs = pytest.importorskip("pycocotools.mask")
    changed = copy.deepcopy(INSTANCES)
    coded = runs.frPyObjects(changed["annotations"][1]["segmentation"], HEIGHT, WIDTH)
    changed["annotations"][1]["segmentation"] = {"size": coded["size"], "counts": coded["counts"].decode()}
    before = dataset(root, truth="mask").sample("val", 0).truth
    write(root, changed)
    assert torch.equal(dataset(root, truth="mask").sample("val", 0).truth, before)


def test_what_is_explained_can_be_set(root: Path) -> None:
    assert dataset(root, explained="only").ids("val") == ("val2017/000000000042.jpg",)
    person = dataset(root, explained="person")
    assert person.labels("val") == (0,)
    assert person.sample("val", 0).truth.sum() == 2
    with pytest.raises(HeatmarkError, match="explained: no class or rule 'dogs'; did you mean 'dog'"):
        dataset(root, explained="dogs").ids("val")


def without(key: str, kind: str) -> dict[str, Any]:
    changed = copy.deepcopy(INSTANCES)
    del changed[kind][0][key]
    return changed


def with_value(key: str, kind: str, value: object) -> dict[str, Any]:
    changed = copy.deepcopy(INSTANCES)
    changed[kind][0][key] = value
    return changed


@pytest.mark.parametrize(
    ("instances", "message"),
    [
        ([], "is no file of COCO's instances"),
        ({"images": [], "annotations": []}, "nothing in 'categories'"),
        (without("bbox", "annotations"), "nothing in 'bbox'"),
        (without("file_name", "images"), "nothing in 'file_name'"),
        (with_value("bbox", "annotations", [1, 2, 3]), "is no file of COCO's instances: not enough values"),
        (with_value("category_id", "annotations", 5), "category 5 of annotation 1 is not among its categories"),
        (with_value("image_id", "annotations", 5), "nothing in 5"),
        (with_value("file_name", "images", "../secret.jpg"), "leaves its root"),
        (with_value("segmentation", "annotations", {"counts": "x"}), "has an outline that is none: nothing in 'size'"),
        (with_value("segmentation", "annotations", {"counts": [9], "size": [3, 3]}), "it is of .*, its image of"),
        ({**INSTANCES, "images": [{**own, "width": 9} for own in INSTANCES["images"]]}, "is 9x6, and it is 8x6$"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root: Path, instances: object, message: str) -> None:
    write(root, instances)
    with pytest.raises(HeatmarkError, match=message) as raised:
        dataset(root, truth="mask").sample("val", 0)
    assert "\n" not in str(raised.value)


def test_a_wrong_folder_and_a_file_that_is_no_json(root: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no file .*instances_val2017.json; expected .* to hold annotations"):
        dataset(root / "val2017").ids("val")
    (root / "annotations/instances_val2017.json").write_text("{")
    with pytest.raises(HeatmarkError, match="cannot be read as JSON"):
        dataset(root).ids("val")


def test_masks_say_what_they_need(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(HeatmarkError, match=r'masks need pycocotools: pip install "heatmark\[coco\]"'):
        dataset(root, truth="mask").sample("val", 0)
    assert dataset(root).sample("val", 0).truth.any()
