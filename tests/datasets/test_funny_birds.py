import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from bench import checks
from bench.datasets.funny_birds import LEVELS, PARTS, FunnyBirds
from bench.errors import HeatmarkError
from tests.support.small_birds import PLACES, bird, write_birds


@pytest.fixture(scope="module")
def birds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_birds(tmp_path_factory.mktemp("birds"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_birds(tmp_path)


def dataset(root: Path, **settings: str) -> FunnyBirds:
    return FunnyBirds(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", FunnyBirds.splits)
def test_conformance(birds: Path, check, split: str) -> None:
    check(dataset(birds), split)


def test_images_are_numbered_by_the_list_and_lie_in_the_folders_of_their_classes(birds: Path) -> None:
    data = dataset(birds)
    assert data.classes == ("bird 0", "bird 1", "bird 2")
    assert data.ids("test") == ("test/0/000000.png", "test/2/000001.png", "test/1/000002.png")
    assert data.labels("test") == (0, 2, 1)
    expected = torch.from_numpy(bird(2, 1, PARTS)[:, :, :3]).permute(2, 0, 1) / 255
    torch.testing.assert_close(data.sample("test", 1).image, expected)


def test_the_truth_has_a_level_for_each_part_and_none_for_what_is_behind(birds: Path) -> None:
    expected = torch.zeros(16, 16)
    for part, windows in PLACES.items():
        for rows, columns in windows:
            expected[slice(*rows), slice(*columns)] = LEVELS[part]
    assert torch.equal(dataset(birds).sample("test", 0).truth, expected)
    assert dataset(birds, truth="none").sample("test", 0).truth is None


@pytest.mark.parametrize("gone", [("eye",), ("beak", "wing"), tuple(PARTS)])
def test_any_parts_of_a_test_image_can_be_gone(birds: Path, gone: tuple[str, ...]) -> None:
    data = dataset(birds)
    without = data.sample("test", 1).without
    assert without is not None
    found = without(tuple(LEVELS[part] for part in gone))
    expected = bird(2, 1, [part for part in PARTS if part not in gone])[:, :, :3]
    torch.testing.assert_close(found, torch.from_numpy(expected).permute(2, 0, 1) / 255)
    assert data.sample("train", 0).without is None


def test_the_smallest_sets_of_parts_that_tell_a_class(birds: Path) -> None:
    data = dataset(birds)
    assert data.kinds[2] == {"beak": 0, "eye": 1, "foot": 1, "tail": 0, "wing": 2}
    assert data.sufficient_parts(1) == [frozenset({"beak"})]
    assert data.sufficient_parts(2) == [frozenset({"eye"}), frozenset({"foot"}), frozenset({"wing"})]
    pairs = [frozenset({"beak", part}) for part in ("eye", "foot", "wing")]
    assert data.sufficient_parts(0) == pairs


def test_the_fingerprint_follows_the_images_without_parts(root: Path) -> None:
    before = dataset(root).fingerprint()
    Image.new("RGBA", (16, 16)).save(root / "test_interventions/0/000000/body_beak.png")
    assert dataset(root).fingerprint() != before
    assert dataset(root, truth="none").fingerprint() != before


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("classes.json", "{", "classes.json cannot be read as JSON"),
        ("classes.json", "{}", "classes.json is no list of objects"),
        ("classes.json", '[{"class_idx": 0}]', "entry 0 has no 'parts'"),
        ("classes.json", '[{"class_idx": 1, "parts": {}}]', "entry 0 is not class 0 with the parts beak, eye"),
        ("dataset_test.json", '[{"class_idx": 5}]', "image 0 is of class 5; expected 0 to 2, as in classes.json"),
        ("dataset_test.json", "[{}]", "entry 0 has no 'class_idx'"),
        ("dataset_test.json", "[3]", "is no list of objects"),
        ("test_part_map/0/000000.png", "no picture", "000000.png cannot be read"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(root: Path, file: str, content: str, message: str) -> None:
    (root / file).write_text(content)
    with pytest.raises(HeatmarkError, match=message) as raised:
        dataset(root).sample("test", 0)
    assert "\n" not in str(raised.value)


def test_what_is_missing_or_of_another_size_is_said(root: Path) -> None:
    data = dataset(root)
    (root / "test_interventions/0/000000/body_beak_eye_foot_tail.png").unlink()
    with pytest.raises(HeatmarkError, match=r"no image file .*body_beak_eye_foot_tail.png"):
        data.sample("test", 0).without((LEVELS["wing"],))
    for place in ("test_part_map/0/000000.png", "test_interventions/2/000001/body_.png"):
        Image.new("RGBA", (8, 16)).save(root / place)
    with pytest.raises(HeatmarkError, match=r"000000.png is 8x16, its image 16x16"):
        data.sample("test", 0)
    with pytest.raises(HeatmarkError, match=r"body_.png is 8x16, its image 16x16"):
        data.sample("test", 1).without(tuple(LEVELS.values()))
    (root / "dataset_test.json").unlink()
    with pytest.raises(HeatmarkError, match="has no image of split 'test'; expected classes"):
        dataset(root).ids("test")
    with pytest.raises(HeatmarkError, match=r"no file .*classes.json; expected the folder of FunnyBirds' archive"):
        dataset(root / "test").classes  # noqa: B018 - it reads
    assert json.loads((root / "classes.json").read_text())
