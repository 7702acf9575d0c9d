"""Data sets of one's own download, where they lie below HEATMARK_REAL_DATA in a folder of the plug-in's name."""

from pathlib import Path

import pytest

from bench.api.registry import find

# By plug-in: its folder, settings, and how many images of a split its authors say there are.
PUBLISHED = [
    ("pascal_voc", "pascal_voc/VOC2012", {}, "val", 5823),
    ("pascal_voc", "pascal_voc/VOC2012", {"truth": "mask"}, "val", 1449),
    ("coco", "coco", {"truth": "mask"}, "val", 4952),
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
    for position in range(0, images, images // 10):
        sample = dataset.sample(split, position)
        assert sample.truth is not None
        assert sample.truth.any()
