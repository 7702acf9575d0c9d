from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.data.imagenet_classes import WNIDS
from bench.data.imagenet_s_classes import wnids_of
from bench.data.label_map import label_map_of
from bench.datasets.imagenet_s import ImagenetS
from bench.errors import HeatmarkError

# Two classes of ImageNet-S-50; the second is number 50 there, and 912 of the 919.
FIRST, LAST = "n01443537", "n12998815"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """ImageNetS50 with three images, in the layout that its scripts leave."""
    for place, wnid, name, number in (
        ("validation", FIRST, "ILSVRC2012_val_00000002", 1),
        ("validation", LAST, "ILSVRC2012_val_00000001", 50),
        ("train-semi", LAST, "n12998815_10", 50),
    ):
        folder = tmp_path / place / wnid
        folder.mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{name}.JPEG")
        write_mask(tmp_path / f"{place}-segmentation" / wnid / f"{name}.png", number)
    return tmp_path


def write_mask(path: Path, number: int, shape: tuple[int, int] = (6, 8)) -> None:
    """Its class, another, and pixels that nobody decided about (1000)."""
    values = np.zeros((*shape, 3), np.uint8)
    for rows, own in ((slice(0, 2), number), (slice(2, 3), 7), (slice(3, 4), 1000)):
        values[rows, 1:5] = (own % 256, own // 256, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def dataset(root: Path, subset: int = 50) -> ImagenetS:
    return ImagenetS(root=str(root), subset=subset)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", ImagenetS.splits)
def test_conformance(root: Path, check, split: str) -> None:
    check(dataset(root), split)


@pytest.mark.parametrize("subset", [50, 300, 919])
def test_classes_are_sorted_ids_that_find_the_outputs_of_imagenets_networks(subset: int) -> None:
    data = ImagenetS(subset=subset)
    assert len(data.classes) == len(set(data.wordnet_ids)) == subset
    assert list(data.wordnet_ids) == sorted(data.wordnet_ids)
    assert set(wnids_of(50)) <= set(wnids_of(300)) <= set(wnids_of(919)) <= set(WNIDS)
    outputs = label_map_of(data, (), WNIDS, "a network")
    assert tuple(WNIDS[output] for output in outputs) == data.wordnet_ids


def test_the_five_classes_that_are_merged_into_others_are_left_out() -> None:
    assert {"n04356056", "n04493381", "n03642806", "n04008634", "n03887697"}.isdisjoint(wnids_of(919))
    assert {"n04355933", "n02808440", "n03832673", "n03773504", "n15075141"} <= set(wnids_of(919))


def test_masks_are_the_pixels_of_the_images_own_class(root: Path) -> None:
    data = dataset(root)
    assert data.ids("val") == (
        f"validation/{FIRST}/ILSVRC2012_val_00000002.JPEG",
        f"validation/{LAST}/ILSVRC2012_val_00000001.JPEG",
    )
    assert data.labels("val") == (0, 49)
    expected = torch.zeros(6, 8)
    expected[:2, 1:5] = 1
    assert torch.equal(data.sample("val", 0).truth, expected)


def test_numbers_above_255_are_read(root: Path) -> None:
    number = wnids_of(919).index(LAST) + 1
    write_mask(root / "validation-segmentation" / LAST / "ILSVRC2012_val_00000001.png", number)
    assert number > 255
    assert dataset(root, 919).sample("val", 1).truth.sum() == 8


def test_what_is_wrong_is_said_in_one_line(root: Path) -> None:
    mask = root / "validation-segmentation" / FIRST / "ILSVRC2012_val_00000002.png"
    with pytest.raises(HeatmarkError, match=r"has no pixel of its class, 2 of 919; is `subset` right\?"):
        dataset(root, 919).sample("val", 0)
    write_mask(mask, 1, (5, 8))
    with pytest.raises(HeatmarkError, match="is 8x5, its image 8x6"):
        dataset(root).sample("val", 0)
    mask.unlink()
    with pytest.raises(HeatmarkError, match=r"no image file .*ILSVRC2012_val_00000002.png"):
        dataset(root).sample("val", 0)
    with pytest.raises(HeatmarkError, match="has no image of split 'val'; expected validation"):
        dataset(root / "validation").ids("val")
    (root / "validation/n01440764").mkdir()
    Image.new("RGB", (8, 6)).save(root / "validation/n01440764/a.JPEG")
    with pytest.raises(HeatmarkError, match="'n01440764' is not one of the 50 classes; did you mean"):
        dataset(root).ids("val")
