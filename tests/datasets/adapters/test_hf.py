"""Hugging Face's data sets by name, from folders and from a cache that the test has written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench import checks
from bench.api import Dataset, HeatmarkError
from bench.data.library_dataset import LibraryDataset
from bench.suites.make import make_plugin

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 8, 3), dtype=np.uint8))


def table(count: int, seed: int) -> Any:
    """Cats and dogs, each with a mask of four pixels and a box of twelve."""
    hugging = pytest.importorskip("datasets")
    mask = np.zeros((9, 8), np.uint8)
    mask[2:4, 3:5] = 255
    boxes = {"bbox": hugging.Sequence(hugging.Sequence(hugging.Value("float32")))}
    features = hugging.Features(
        {
            "photo": hugging.Image(),
            "mask": hugging.Image(),
            "kind": hugging.ClassLabel(names=["cat", "dog"]),
            "breed": hugging.Value("string"),
            "objects": boxes,
        }
    )
    rows = {
        "photo": [picture(seed + i) for i in range(count)],
        "mask": [Image.fromarray(mask)] * count,
        "kind": [i % 2 for i in range(count)],
        "breed": [("persian", "beagle")[i % 2] for i in range(count)],
        "objects": [{"bbox": [[1, 2, 3, 4]]}] * count,
    }
    return hugging.Dataset.from_dict(rows, features=features)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    hugging = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("saved")
    hugging.DatasetDict({"test": table(3, 10), "train": table(2, 0)}).save_to_disk(str(folder))
    return folder


def made(root: Path | str = "", **settings: object) -> Dataset:
    plugin = make_plugin("datasets", {"name": "hf:me/pets", "root": str(root), **settings}, "dataset")
    assert isinstance(plugin, LibraryDataset)
    return plugin


def test_columns_are_found_and_splits_are_in_order(saved: Path) -> None:
    dataset = made(saved)
    assert dataset.splits == dataset.present == ("train", "test")
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels("test") == (0, 1, 0)
    expected = np.array(picture(11))
    found = dataset.sample("test", 1)
    np.testing.assert_array_equal((found.image.permute(1, 2, 0).numpy() * 255).round(), expected)
    assert found.truth is None
    assert dataset.label == "hf:me/pets"
    assert dataset.library.startswith("datasets ")
    for split in dataset.splits:
        for check in checks.DATASET_CHECKS:
            check(dataset, split)


@pytest.mark.parametrize(
    ("settings", "area"),
    [
        ({"truth_column": "mask"}, 4),
        ({"truth_column": "objects.bbox"}, 12),
        ({"truth_column": "objects.bbox", "boxes": "xyxy"}, 4),
    ],
)
def test_masks_and_boxes_are_truth(saved: Path, settings: dict[str, object], area: int) -> None:
    dataset = made(saved, **settings)
    truth = dataset.sample("test", 0).truth
    assert truth is not None
    assert truth.sum() == area
    assert truth[3, 4 if "mask" in settings.values() else 2] == 1
    assert dataset.fingerprint() != made(saved).fingerprint()
    for check in checks.DATASET_CHECKS:
        check(dataset, "test")


def test_words_are_classes_in_their_order(saved: Path) -> None:
    dataset = made(saved, label_column="breed")
    assert (dataset.classes, dataset.labels("train")) == (("beagle", "persian"), (1, 0))


def test_what_the_hub_s_cache_holds_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(pytest.importorskip("datasets").config, "HF_DATASETS_CACHE", tmp_path / "arrow")
    with pytest.raises(HeatmarkError, match="copy the folder datasets--me--pets of another machine's cache there, or"):
        _ = made().splits
    folder = tmp_path / "hub" / "datasets--me--pets"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    data = folder / "snapshots" / COMMIT / "data"
    data.mkdir(parents=True)
    for split, count in (("train", 2), ("test", 3)):
        table(count, 0).to_parquet(str(data / f"{split}-00000-of-00001.parquet"))
    dataset = made(download=False, config="default")
    assert (dataset.splits, dataset.labels("test")) == (("train", "test"), (0, 1, 0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label_column": "kindd"}, "label_column: no column 'kindd'; did you mean 'kind'"),
        ({"truth_column": "masks"}, "truth_column: no column 'masks'; did you mean 'mask'"),
        ({"root": "nowhere"}, "no folder nowhere"),
    ],
)
def test_what_is_not_there_is_one_line(saved: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        _ = made(**{"root": saved, **settings}).classes
