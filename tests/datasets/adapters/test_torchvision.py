"""torchvision's data sets by name, on tiny copies of what lies on a disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision.datasets as library

from bench import checks
from bench.api import Dataset, HeatmarkError
from bench.data.library_dataset import LibraryDataset
from bench.datasets.adapters import torchvision as adapter
from bench.suites.make import make_plugin
from tests.support.torchvision_copies import COPIES


def made(name: str, root: Path, **settings: object) -> Dataset:
    plugin = make_plugin("datasets", {"name": f"torchvision:{name}", "root": str(root), **settings}, "dataset")
    assert isinstance(plugin, LibraryDataset)
    return plugin


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as whole when they are there: copies have other hashes than what people download."""
    for module in (library.cifar, library.stl10, library.svhn, library.semeion, library.fer2013, library.flowers102):
        monkeypatch.setattr(module, "check_integrity", lambda path, md5=None: Path(path).is_file())
    monkeypatch.setattr(library.places365, "check_integrity", lambda path, md5=None: Path(path).is_file())
    monkeypatch.setattr(library.LFWPeople, "_check_integrity", lambda own: Path(own.root, own.labels_file).is_file())


def test_every_data_set_of_the_library_works_or_says_why_not() -> None:
    assert sorted({*adapter.WORKING, *adapter.REFUSED}) == sorted(library.__all__)
    assert not set(adapter.WORKING) & set(adapter.REFUSED)
    # PCAM lies in HDF5 files, whose package is not among those of the tests.
    assert {*COPIES, "PCAM"} == set(adapter.WORKING)


@pytest.mark.parametrize("name", COPIES)
@pytest.mark.usefixtures("copies")
def test_it_is_the_library_s_images_and_labels(name: str, tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match="`download = true`") as caught:
        _ = made(name, tmp_path / "none").present
    assert "\n" not in str(caught.value)
    COPIES[name](tmp_path)
    dataset, kind = made(name, tmp_path), adapter.WORKING[name]
    assert dataset.present == tuple(kind.splits)
    own = {"split": "balanced"} if name == "EMNIST" else {}
    for split, asked in kind.splits.items():
        expected = getattr(library, name)(**{"root": str(tmp_path), **own, **asked})
        ours = [dataset.sample(split, position) for position in range(len(dataset.ids(split)))]
        theirs = [(np.array(image.convert("RGB")), int(label)) for image, label in expected]
        assert sorted((sample.image.numpy() * 255).round().sum() for sample in ours) == sorted(
            float(image.sum()) for image, _ in theirs
        )
        assert sorted(dataset.labels(split)) == sorted(label for _, label in theirs)
        assert all(0 <= label < len(dataset.classes) for label in dataset.labels(split))
        for check in checks.DATASET_CHECKS:
            check(dataset, split)


def test_pets_have_their_masks_as_truth(tmp_path: Path) -> None:
    COPIES["OxfordIIITPet"](tmp_path)
    dataset = made("OxfordIIITPet", tmp_path)
    sample = dataset.sample("test", 1)
    assert sample.id == "oxford-iiit-pet/images/beagle_4.jpg"
    assert (sample.label, dataset.classes) == (1, ("Abyssinian", "Beagle"))
    truth = sample.truth
    assert truth is not None
    assert truth[5, 5] == 1
    assert truth[3, 2] == 0.5
    assert truth[0, 0] == 0
    assert truth.sum() == 16 + 20 / 2


def test_classes_are_found_by_wordnet_ids_in_a_suite_of_any_network(tmp_path: Path) -> None:
    COPIES["Imagenette"](tmp_path)
    dataset = made("Imagenette", tmp_path)
    assert dataset.wordnet_ids == ("n01440764", "n03888257")
    assert dataset.classes == ("tench", "parachute")


def test_the_place_of_the_files_changes_neither_label_nor_fingerprint(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    torch.manual_seed(0)
    COPIES["EuroSAT"](tmp_path / "here")
    here = made("EuroSAT", tmp_path / "here")
    (tmp_path / "here" / "eurosat").rename(tmp_path / "there" / "eurosat")
    there = made("EuroSAT", tmp_path / "there")
    assert there.label == here.label == "torchvision:EuroSAT"
    first = there.fingerprint()
    (tmp_path / "there" / "eurosat" / "2750" / "Forest" / "a.jpg").write_bytes(
        (tmp_path / "there" / "eurosat" / "2750" / "River" / "a.jpg").read_bytes()
    )
    (tmp_path / "there").rename(tmp_path / "elsewhere")
    assert made("EuroSAT", tmp_path / "elsewhere").fingerprint() != first


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("Imagenete", {}, "torchvision has no 'Imagenete' for image classifiers; did you mean 'Imagenette'"),
        ("VOCDetection", {}, "torchvision:VOCDetection is not offered: it has boxes of many objects"),
        ("DTD", {"partitoin": 2}, "partitoin: torchvision:DTD has no such setting; did you mean 'partition'"),
    ],
)
def test_what_is_none_is_one_line(name: str, settings: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=message):
        made(name, tmp_path, **settings)


def test_a_split_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    COPIES["EuroSAT"](tmp_path)
    with pytest.raises(HeatmarkError, match="has no split 'al'; did you mean 'all'"):
        made("EuroSAT", tmp_path).ids("al")
