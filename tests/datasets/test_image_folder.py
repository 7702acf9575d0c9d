from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.datasets.image_folder import ImageFolder
from bench.errors import HeatmarkError


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of ten images each, of different kinds, beside what belongs to nobody."""
    for number in range(10):
        save(tmp_path / f"cats/{number}.jpg", np.full((6, 8, 3), number, np.uint8))
        save(tmp_path / f"dogs/{number}.png", np.full((8, 6), number, np.uint8))
    (tmp_path / "cats/notes.txt").write_text("not an image")
    (tmp_path / ".hidden").mkdir()
    return tmp_path


def masks(folder: Path) -> None:
    for number in range(10):
        mask = np.zeros((6, 8), np.uint8)
        mask[2:4, 3:5] = 255
        save(folder / f"cats/{number}.png", mask)
        save(folder / f"dogs/{number}.png", mask.T)


def dataset(root: Path, **settings: str | float) -> ImageFolder:
    return ImageFolder(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", ImageFolder.splits)
def test_conformance(root: Path, check, split: str) -> None:
    masks(root / "masks")
    check(dataset(root, held_out=0.5), split)


def test_classes_are_folders(root: Path) -> None:
    data = dataset(root)
    assert data.classes == ("cats", "dogs")
    assert data.ids("val")[:2] == ("cats/0.jpg", "cats/1.jpg")
    assert data.labels("val") == (0,) * 10 + (1,) * 10
    assert data.sample("val", 12).image.shape == (3, 8, 6)
    assert data.sample("val", 12).truth is None


@pytest.mark.parametrize("inside", [True, False])
def test_masks_are_truth_maps(root: Path, tmp_path_factory: pytest.TempPathFactory, inside: bool) -> None:
    folder = root / "masks" if inside else tmp_path_factory.mktemp("other")
    masks(folder)
    data = dataset(root, mask_root="" if inside else str(folder))
    expected = torch.zeros(6, 8)
    expected[2:4, 3:5] = 1
    assert data.classes == ("cats", "dogs")
    assert torch.equal(data.sample("val", 3).truth, expected)
    assert torch.equal(data.sample("val", 13).truth, expected.T)


def test_splits_part_the_images_and_new_ones_move_no_other(root: Path) -> None:
    data = dataset(root, held_out=0.4)
    train, val = set(data.ids("train")), set(data.ids("val"))
    assert not train & val
    assert len(train | val) == 20
    assert 3 <= len(val) <= 13
    save(root / "cats/new.jpg", np.zeros((6, 8, 3), np.uint8))
    assert val <= set(dataset(root, held_out=0.4).ids("val"))


def test_everything_is_held_out_unless_asked_for(root: Path) -> None:
    assert dataset(root).present == ("val",)
    with pytest.raises(HeatmarkError, match=r"has no image of split 'train'; .* `held_out` of them"):
        dataset(root).ids("train")


def test_a_folder_without_folders_of_classes_is_told_of_in_words_of_its_owner(tmp_path: Path) -> None:
    expected = "expected it to hold a folder of images for each class$"
    with pytest.raises(HeatmarkError, match=f"^no folder {tmp_path}/picz; {expected}"):
        dataset(tmp_path / "picz").ids("val")
    save(tmp_path / "cat.jpg", np.zeros((6, 8, 3), np.uint8))
    with pytest.raises(HeatmarkError, match=f"^images lie directly in {tmp_path}; expected a folder of images"):
        dataset(tmp_path).ids("val")
    (tmp_path / "cats").mkdir()
    with pytest.raises(HeatmarkError, match=f"^{tmp_path} has no image in the folders inside it; expected a folder"):
        dataset(tmp_path).ids("val")


def test_the_fingerprint_follows_the_masks(root: Path) -> None:
    before = dataset(root).fingerprint()
    masks(root / "masks")
    assert dataset(root).fingerprint() != before


def test_a_share_must_be_a_share() -> None:
    with pytest.raises(ValueError, match=r"held_out 2: expected a share between 0 and 1"):
        ImageFolder(held_out=2)


def test_a_missing_mask_is_named(root: Path) -> None:
    masks(root / "masks")
    (root / "masks/cats/4.png").unlink()
    with pytest.raises(HeatmarkError, match=r"no mask .*/masks/cats/4\.png for the image cats/4\.jpg"):
        dataset(root).sample("val", 4)


def test_a_mask_of_another_size_is_named(root: Path) -> None:
    masks(root / "masks")
    save(root / "masks/cats/4.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(HeatmarkError, match=r"mask .*/cats/4\.png is 5x5, its image 8x6"):
        dataset(root).sample("val", 4)


def test_a_missing_folder_of_masks_is_named(root: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no folder .*/nowhere; expected it to hold <class>/\*\.png"):
        dataset(root, mask_root=str(root / "nowhere")).sample("val", 0)


def test_a_truncated_image_is_named(root: Path) -> None:
    path = root / "cats/0.jpg"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(HeatmarkError, match=r"cats/0\.jpg cannot be read"):
        dataset(root).sample("val", 0)
