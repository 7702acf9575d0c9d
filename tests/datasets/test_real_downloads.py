"""Data sets of one's own download, where they lie below HEATMARK_REAL_DATA in a folder of the plug-in's name."""

from pathlib import Path

import pytest

from bench.api.registry import find

# By plug-in: its folder, settings, and how many images of a split its authors say there are.
PUBLISHED = [
    ("pascal_voc", "pascal_voc/VOC2012", {}, "val", 5823),
    ("pascal_voc", "pascal_voc/VOC2012", {"truth": "mask"}, "val", 1449),
    ("coco", "coco", {"truth": "mask"}, "val", 4952),
    ("funny_birds", "funny_birds/FunnyBirds", {}, "test", 500),
    ("funny_birds", "funny_birds/FunnyBirds", {}, "train", 50000),
    ("imagenet_s", "imagenet_s/ImageNetS919", {}, "val", 12419),
]


@pytest.mark.parametrize(("name", "folder", "settings", "split", "images"), PUBLISHED)
def test_a_download_is_whole_and_every_tenth_truth_shows_something(
    real_data: Path, name: str, folder: str, settings: dict[str, str], split: str, images: int
) -> None:
    if not (real_data / folder).is_dir():
        pytest.skip(f"no {folder} in HEATMARK_REAL_DATA: download {name} to try it")
    dataset = find("datasets")[name](root=str(real_data / folder), **settings)
    assert len(dataset.ids(split)) == images
    samples = [dataset.sample(split, position) for position in range(0, images, images // 10)]
    assert all(sample.truth is not None for sample in samples)
    assert sum(bool(sample.truth.any()) for sample in samples) >= 9  # in training all parts of a bird may be gone


def test_human_maps_are_there_and_most_of_them_show_something(real_data: Path) -> None:
    if not (real_data / "click_me").is_dir():
        pytest.skip("no click_me in HEATMARK_REAL_DATA: download its validation shards to try it")
    dataset = find("datasets")["click_me"](root=str(real_data / "click_me"))
    count = len(dataset.ids("val"))
    samples = [dataset.sample("val", position) for position in range(0, count, count // 10)]
    assert len({sample.label for sample in samples}) > 5
    assert sum(bool(sample.truth.any()) for sample in samples) >= 9
