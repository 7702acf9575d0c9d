from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import checks
from bench.data.imagenet_classes import WNIDS
from bench.datasets.imagenet import Imagenet
from bench.datasets.imagenette import Imagenette
from bench.errors import HeatmarkError

CLASS_OF = {1: "n02102040", 2: "n01440764", 3: "n03888257", 4: "n01440764", 5: "n02102040"}
OUTPUT_OF = {"n01440764": 0, "n02102040": 217, "n03888257": 701}
NAME = "ILSVRC2012_val_{:08d}"


def save(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), 60, np.uint8)).save(path, format="JPEG")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Five validation images in folders of their classes, and one training image."""
    for number, wnid in CLASS_OF.items():
        save(tmp_path / "val" / wnid / f"{NAME.format(number)}.JPEG")
    save(tmp_path / "train/n03888257/n03888257_7.JPEG")
    return tmp_path


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """The same five beside each other."""
    for number in CLASS_OF:
        save(tmp_path / "val" / f"{NAME.format(number)}.JPEG")
    return tmp_path


def dataset(root: Path, **settings: str | bool) -> Imagenet:
    return Imagenet(root=str(root), **settings)


def numbers(data: Imagenet) -> list[int]:
    return [int(Path(image).stem.rpartition("_")[2]) for image in data.ids("val")]


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", Imagenet.splits)
def test_conformance(folders: Path, check, split: str) -> None:
    check(dataset(folders), split)


def test_the_classes_are_the_outputs_of_imagenets_networks() -> None:
    names = Imagenet().classes
    assert len(names) == 1000
    assert [names[WNIDS.index(wordnet_id)] for wordnet_id in Imagenette().wordnet_ids] == list(Imagenette().classes)


def test_folders_are_read_in_the_order_of_file_names(folders: Path) -> None:
    data = dataset(folders)
    assert numbers(data) == [1, 2, 3, 4, 5]
    assert data.labels("val") == (217, 0, 701, 0, 217)
    assert data.ids("val")[0] == f"val/n02102040/{NAME.format(1)}.JPEG"
    assert data.labels("train") == (701,)


@pytest.mark.parametrize(
    "line",
    [
        "{name}.JPEG {position}",
        "{name}.JPEG,{wnid}",
        "{name},{wnid} 85 1 499 272",
        "{position}",
        "{wnid}",
    ],
)
def test_a_label_file_names_the_flat_ones(flat: Path, line: str) -> None:
    rows = [
        line.format(name=NAME.format(number), position=OUTPUT_OF[wnid], wnid=wnid) for number, wnid in CLASS_OF.items()
    ]
    header = ["ImageId,PredictionString"] if "85" in line else []
    (flat / "labels.txt").write_text("\n".join([*header, *rows]) + "\n")
    data = dataset(flat, label_file="labels.txt")
    assert data.labels("val") == (217, 0, 701, 0, 217)
    assert data.sample("val", 4).id == f"val/{NAME.format(5)}.JPEG"


def test_flat_images_can_lie_in_the_root_itself(tmp_path: Path) -> None:
    save(tmp_path / f"{NAME.format(1)}.JPEG")
    (tmp_path / "labels.txt").write_text("217\n")
    assert dataset(tmp_path, label_file="labels.txt").sample("val", 0).label == 217


def test_only_the_present_ones_of_a_whole_label_file_can_be_used(flat: Path) -> None:
    (flat / "labels.txt").write_text("\n".join(["7"] * 50_000))
    data = dataset(flat, label_file="labels.txt", only_present=True)
    assert numbers(data) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("selection", "kept"),
    [("1:5:2", [1, 3, 5]), ("2:4:1", [2, 3, 4]), ("1:50000:3", [1, 4]), ("3:3:10", [3]), ("", [1, 2, 3, 4, 5])],
)
def test_a_selection_counts_from_one_and_includes_its_end(folders: Path, selection: str, kept: list[int]) -> None:
    assert numbers(dataset(folders, selection=selection)) == kept


def test_the_selection_of_the_gnl_paper_has_5000_images(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("\n".join(["7"] * 50_000))
    kept = numbers(dataset(tmp_path, label_file="labels.txt", selection="1:50000:10"))
    assert (len(kept), kept[:3], kept[-1]) == (5000, [1, 11, 21], 49_991)


def test_a_selection_leaves_training_alone(folders: Path) -> None:
    assert len(dataset(folders, selection="4:5:1").ids("train")) == 1


@pytest.mark.parametrize("selection", ["0:5:1", "1:5", "1:5:0", "a:b:c", "1:5:-1"])
def test_a_wrong_selection_is_refused(selection: str) -> None:
    with pytest.raises(ValueError, match=f"selection '{selection}': expected start:end:stride"):
        Imagenet(selection=selection)


@pytest.mark.parametrize("label", ["1000", "n99999999", "tench", "-1"])
def test_an_unknown_class_is_named(flat: Path, label: str) -> None:
    (flat / "labels.txt").write_text(f"{label}\n")
    with pytest.raises(HeatmarkError, match=rf"labels\.txt: class '{label}' is not one of ImageNet's"):
        dataset(flat, label_file="labels.txt").labels("val")


def test_an_unknown_class_folder_is_named(folders: Path) -> None:
    save(folders / "val/dogs/a.JPEG")
    with pytest.raises(HeatmarkError, match="/val: class 'dogs' is not one of ImageNet's"):
        dataset(folders).labels("val")


def test_a_label_file_that_is_half_named_is_refused(flat: Path) -> None:
    (flat / "labels.txt").write_text(f"{NAME.format(1)}.JPEG 7\n9\n")
    with pytest.raises(HeatmarkError, match=r"labels\.txt: some lines name an image and some do not"):
        dataset(flat, label_file="labels.txt").ids("val")


@pytest.mark.parametrize(
    ("label_file", "message"),
    [("no.txt", r"no label file .*/no\.txt"), ("../labels.txt", r"'\.\./labels\.txt' leaves its root")],
)
def test_a_wrong_label_file_is_named(flat: Path, label_file: str, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        dataset(flat, label_file=label_file).ids("val")


def test_a_path_that_leaves_the_root_is_refused(flat: Path) -> None:
    (flat / "labels.txt").write_text("../../secret.JPEG 7\n")
    with pytest.raises(HeatmarkError, match="leaves its root"):
        dataset(flat, label_file="labels.txt").ids("val")


def test_an_absent_image_is_named(flat: Path) -> None:
    (flat / "labels.txt").write_text("\n".join(["7"] * 6))
    with pytest.raises(HeatmarkError, match=r"ILSVRC2012_val_00000006\.JPEG, but it is listed"):
        dataset(flat, label_file="labels.txt").sample("val", 5)


def test_flat_images_without_a_label_file_are_not_found(flat: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no image of split 'val'; expected .* with a `label_file`"):
        dataset(flat).ids("val")
