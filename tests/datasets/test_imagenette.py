from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.api import Preprocess
from bench.data.imagenet_classes import WNIDS
from bench.data.label_map import label_map_of
from bench.data.transforms import prepare
from bench.datasets.imagenette import Imagenette
from bench.errors import HeatmarkError

HEADER = "path,noisy_labels_0,noisy_labels_50,is_valid"


def save(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes, grey images among them, without a CSV."""
    for split in ("train", "val"):
        for number, wnid in enumerate(("n03888257", "n01440764")):
            save(tmp_path / split / wnid / f"{wnid}_1.JPEG", number)
            save(tmp_path / split / wnid / f"{wnid}_2.JPEG", number + 10)
    Image.fromarray(np.full((20, 30), 90, np.uint8)).save(tmp_path / "val/n01440764/n01440764_3.JPEG")
    return tmp_path


def dataset(root: Path, **settings: str) -> Imagenette:
    return Imagenette(root=str(root), **settings)


def write(root: Path, name: str, *rows: str) -> None:
    (root / name).write_text("\n".join((HEADER, *rows)) + "\n")


def test_classes_and_their_imagenet_outputs_are_in_one_order() -> None:
    names = Imagenette().classes
    assert names[0] == "tench"
    assert names[9] == "parachute"
    outputs = label_map_of(Imagenette(), (), WNIDS, "a network")
    assert outputs == (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)


def test_folders_alone_are_enough(root: Path) -> None:
    val = dataset(root)
    assert val.ids("val") == (
        "val/n01440764/n01440764_1.JPEG",
        "val/n01440764/n01440764_2.JPEG",
        "val/n01440764/n01440764_3.JPEG",
        "val/n03888257/n03888257_1.JPEG",
        "val/n03888257/n03888257_2.JPEG",
    )
    assert val.labels("val") == (0, 0, 0, 9, 9)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", Imagenette.splits)
def test_conformance(root: Path, check, split: str) -> None:
    check(dataset(root), split)


def test_a_grey_file_becomes_rgb(root: Path) -> None:
    sample = dataset(root).sample("val", 2)
    assert sample.image.shape == (3, 20, 30)
    assert sample.image.unique().numel() == 1
    assert (sample.id, sample.label, sample.truth) == ("val/n01440764/n01440764_3.JPEG", 0, None)


def test_noisy_imagenette_csv_lists_both_splits(root: Path) -> None:
    write(
        root,
        "noisy_imagenette.csv",
        "train/n03888257/n03888257_2.JPEG,n03888257,n01440764,False",
        "val/n01440764/n01440764_1.JPEG,n01440764,n01440764,True",
    )
    assert dataset(root).ids("train") == ("train/n03888257/n03888257_2.JPEG",)
    assert dataset(root).labels("train") == (9,)
    assert dataset(root, label_column="noisy_labels_50").labels("train") == (0,)
    assert dataset(root).ids("val") == ("val/n01440764/n01440764_1.JPEG",)


def test_the_split_files_go_before_it(root: Path) -> None:
    write(root, "noisy_imagenette.csv", "val/n01440764/n01440764_1.JPEG,n01440764,n01440764,True")
    write(root, "val.csv", "val/n03888257/n03888257_1.JPEG,n03888257,n03888257,True")
    assert dataset(root).ids("val") == ("val/n03888257/n03888257_1.JPEG",)


def test_the_fingerprint_follows_files_and_settings_but_not_the_place(root: Path, tmp_path: Path) -> None:
    before = dataset(root).fingerprint()
    moved = root.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    assert dataset(moved).fingerprint() == before
    write(moved, "noisy_imagenette.csv", *(f"{s}/n01440764/n01440764_1.JPEG,n01440764,n03888257,{v}"
                                           for s, v in (("train", False), ("val", True))))  # fmt: skip
    listed = dataset(moved).fingerprint()
    assert listed != before
    assert dataset(moved, label_column="noisy_labels_50").fingerprint() != listed
    save(moved / "val/n01440764/n01440764_1.JPEG", seed=99)
    assert dataset(moved).fingerprint() != listed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda root: {"root": ""}, r"'imagenette': set `root` to the folder that holds train/<wnid>"),
        (lambda root: {"root": str(root / "no")}, r"no folder .*/no; expected it to hold train/<wnid>"),
        (lambda root: {"label_column": "noisy_labels_5"}, r"no val\.csv to read label_column 'noisy_labels_5'"),
    ],
)
def test_a_wrong_setting_is_named(root: Path, change, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        Imagenette(**{"root": str(root)} | change(root)).ids("val")


def test_a_missing_split_folder_is_named(tmp_path: Path) -> None:
    save(tmp_path / "train/n01440764/a.JPEG")
    with pytest.raises(HeatmarkError, match=r"has no image of split 'val'; expected train/<wnid>/\*\.JPEG and val/"):
        dataset(tmp_path).ids("val")


def test_the_label_on_the_board_names_no_folder(root: Path) -> None:
    assert dataset(root).label == "imagenette"
    assert dataset(root, label_column="noisy_labels_5").label == "imagenette(label_column=noisy_labels_5)"


def test_an_unknown_split_is_named(root: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"'imagenette' has no split 'vale'; did you mean 'val'"):
        dataset(root).ids("vale")


def test_a_wrong_column_is_named(root: Path) -> None:
    write(root, "noisy_imagenette.csv", "val/n01440764/n01440764_1.JPEG,n01440764,n01440764,True")
    with pytest.raises(HeatmarkError, match=r"noisy_imagenette.csv has no column 'noisy_label_0'; did you mean"):
        dataset(root, label_column="noisy_label_0").ids("val")


def test_an_unknown_class_is_named(root: Path) -> None:
    write(root, "val.csv", "val/n01440764/n01440764_1.JPEG,n01440765,n01440764,True")
    with pytest.raises(HeatmarkError, match=r"val\.csv: class 'n01440765' is not one of Imagenette's ten; did you"):
        dataset(root).labels("val")


def test_an_unknown_class_folder_is_named(root: Path) -> None:
    save(root / "val/n00000000/a.JPEG")
    with pytest.raises(HeatmarkError, match=r"/val: class 'n00000000' is not one of"):
        dataset(root).labels("val")


def test_a_truncated_image_is_named(root: Path) -> None:
    path = root / "val/n01440764/n01440764_1.JPEG"
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(HeatmarkError, match=r"val/n01440764/n01440764_1\.JPEG cannot be read: .*truncated"):
        dataset(root).sample("val", 0)


def test_a_path_that_leaves_the_root_is_refused(root: Path) -> None:
    write(root, "val.csv", "val/../../elsewhere.JPEG,n01440764,n01440764,True")
    with pytest.raises(HeatmarkError, match=r"'val/../../elsewhere.JPEG' leaves its root"):
        dataset(root).ids("val")


def test_an_image_that_is_listed_but_absent_is_named(root: Path) -> None:
    write(root, "val.csv", "val/n01440764/absent.JPEG,n01440764,n01440764,True")
    listed = dataset(root)
    assert listed.labels("val") == (0,)
    with pytest.raises(HeatmarkError, match=r"no image file .*/val/n01440764/absent\.JPEG, but it is listed"):
        listed.sample("val", 0)


def test_only_present_leaves_out_what_is_listed_but_absent(root: Path) -> None:
    row = "val/n01440764/{},n01440764,n01440764,True"
    write(root, "val.csv", row.format("absent.JPEG"), row.format("n01440764_1.JPEG"))
    assert Imagenette(root=str(root), only_present=True).ids("val") == ("val/n01440764/n01440764_1.JPEG",)


def test_one_split_is_enough_for_a_fingerprint(tmp_path: Path) -> None:
    save(tmp_path / "val/n01440764/a.JPEG")
    assert len(dataset(tmp_path).fingerprint()) == 64


def test_a_row_that_lacks_a_field_is_named(root: Path) -> None:
    write(root, "val.csv", "val/n01440764/n01440764_1.JPEG")
    with pytest.raises(HeatmarkError, match=r"val\.csv line 2 has nothing in column 'noisy_labels_0'"):
        dataset(root).ids("val")


def test_is_valid_must_be_true_or_false(root: Path) -> None:
    write(root, "noisy_imagenette.csv", "val/n01440764/n01440764_1.JPEG,n01440764,n01440764,maybe")
    with pytest.raises(HeatmarkError, match="is_valid is 'maybe', expected True or False"):
        dataset(root).ids("val")


def test_an_image_listed_twice_is_named(root: Path) -> None:
    write(root, "val.csv", *["val/n01440764/n01440764_1.JPEG,n01440764,n01440764,True"] * 2)
    with pytest.raises(HeatmarkError, match=r"n01440764_1\.JPEG is listed twice in split 'val'"):
        dataset(root).ids("val")


def test_a_split_without_images_is_named(root: Path) -> None:
    write(root, "val.csv")
    with pytest.raises(HeatmarkError, match="has no image of split 'val'; expected"):
        dataset(root).ids("val")


def test_the_real_subset_is_listed(real_data: Path) -> None:
    real = dataset(real_data / "imagenette2")
    assert (len(real.ids("train")), len(real.ids("val"))) == (2500, 600)
    assert np.bincount(real.labels("val")).tolist() == [60] * 10
    assert real.sample("val", 0).image.shape == (3, 224, 224)


@pytest.mark.long
def test_squeezenet_classifies_the_real_subset_as_measured_elsewhere(real_data: Path) -> None:
    """61.6% among ImageNet's 1,000 classes and 95.5% among the ten, within 3 points."""
    from torchvision.models import squeezenet1_1

    weights = torch.load(real_data / "weights/squeezenet1_1_caffe_fp16.pt", weights_only=True)
    module = squeezenet1_1().eval()
    module.load_state_dict({name: weight.float() for name, weight in weights.items()})
    preprocess = Preprocess((224, 224), None, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    real = dataset(real_data / "imagenette2")
    images = [prepare(real.sample("val", position), preprocess).image for position in range(600)]
    with torch.inference_mode():
        logits = torch.cat([module(batch) for batch in torch.stack(images).split(50)])
    labels, outputs = torch.tensor(real.labels("val")), torch.tensor(label_map_of(real, (), WNIDS, "squeezenet"))
    assert (logits.argmax(1) == outputs[labels]).double().mean() == pytest.approx(0.616, abs=0.03)
    assert (logits[:, outputs].argmax(1) == labels).double().mean() == pytest.approx(0.955, abs=0.03)
