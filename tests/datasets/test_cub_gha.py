from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bench import checks
from bench.datasets.cub_gha import CubGha
from bench.errors import HeatmarkError

NAMES = (
    "001.Black_footed_Albatross/A_1.jpg",
    "001.Black_footed_Albatross/A_2.jpg",
    "002.Laysan_Albatross/B_1.jpg",
    "200.Common_Yellowthroat/C_1.jpg",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four birds of three species as CUB-200-2011 lays them out; the first and the last two are for testing."""
    for number, name in enumerate(NAMES, 1):
        path = tmp_path / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), np.uint8)
        Image.fromarray(pixels).save(path)
    lines(tmp_path / "images.txt", *(f"{number} {name}" for number, name in enumerate(NAMES, 1)))
    lines(tmp_path / "image_class_labels.txt", "1 1", "2 1", "3 2", "4 200")
    lines(tmp_path / "train_test_split.txt", "1 0", "2 1", "3 0", "4 0")
    lines(tmp_path / "bounding_boxes.txt", *(f"{number} 10.0 5.0 20.0 15.0" for number in range(1, 5)))
    return tmp_path


@pytest.fixture
def gaze_root(tmp_path: Path) -> Path:
    """Two viewings of the first bird, one of the third, none of the last."""
    folder = tmp_path / "gaze"
    folder.mkdir()
    lines(folder / "Fixation_run1.txt", "1,40,30,12,8,300,20,10,90", "3,40,30,15,15,200")
    lines(folder / "Fixation_run2.txt", "1,40,30,22,9,400")
    return folder


def lines(path: Path, *rows: str) -> None:
    path.write_text("\n".join(rows) + "\n")


def advgrad(root: Path) -> None:
    """The CSVs that AdvGrad adds, and one drawn map."""
    lines(root / "train.csv", "split,img,label,gaze", f"1,images/{NAMES[1]},0,CUB_GHA/2.jpg")
    lines(root / "test.csv", "split,img,label,gaze", f"0,images/{NAMES[0]},0,CUB_GHA/1.jpg")
    (root / "CUB_GHA").mkdir()
    Image.fromarray(np.full((30, 40), 102, np.uint8)).save(root / "CUB_GHA/1.jpg")


def birds(root: Path, **settings: str | int | bool) -> CubGha:
    return CubGha(root=str(root), **settings)


@pytest.mark.parametrize("check", checks.DATASET_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("split", CubGha.splits)
def test_conformance(root: Path, gaze_root: Path, check, split: str) -> None:
    check(birds(root, gaze_root=str(gaze_root)), split)


def test_the_original_text_files_alone_are_enough(root: Path) -> None:
    data = birds(root)
    assert data.ids("test") == tuple(f"images/{NAMES[i]}" for i in (0, 2, 3))
    assert data.labels("test") == (0, 1, 199)
    assert data.ids("train") == (f"images/{NAMES[1]}",)
    assert len(data.classes) == 200
    assert data.classes[:3] == ("Black footed Albatross", "Laysan Albatross", "species 3")
    assert data.classes[199] == "Common Yellowthroat"


def test_the_csvs_of_advgrad_alone_are_enough(root: Path) -> None:
    advgrad(root)
    for name in ("images.txt", "image_class_labels.txt", "train_test_split.txt", "bounding_boxes.txt"):
        (root / name).unlink()
    data = birds(root)
    assert (data.ids("test"), data.labels("test")) == ((f"images/{NAMES[0]}",), (0,))
    assert (data.ids("train"), data.labels("train")) == ((f"images/{NAMES[1]}",), (0,))
    sample = data.sample("test", 0)
    torch.testing.assert_close(sample.truth, torch.full((30, 40), 0.4))
    assert sample.fixations is None


def test_gaze_is_drawn_from_the_fixations_of_all_viewings(root: Path, gaze_root: Path) -> None:
    sample = birds(root, gaze_root=str(gaze_root)).sample("test", 0)
    assert sample.fixations.tolist() == [[12.5, 8.5, 300, 1], [22.5, 9.5, 400, 2]]
    assert sample.truth.shape == (30, 40)
    assert (sample.truth.min(), sample.truth.max()) == (0, 1)
    assert sample.truth[8, 12] > sample.truth[20, 12]


def test_the_shortest_fixation_is_a_setting(root: Path, gaze_root: Path) -> None:
    sample = birds(root, gaze_root=str(gaze_root), minimum_duration=1).sample("test", 0)
    assert sample.fixations[:, 2].tolist() == [300, 90, 400]


def test_the_published_rendering_leaves_out_the_last_fixation(root: Path, gaze_root: Path) -> None:
    both = [birds(root, gaze_root=str(gaze_root), rendering=name) for name in ("heatmark", "published")]
    ours, published = (data.sample("test", 0) for data in both)
    assert published.truth[9, 22] == 0
    assert ours.truth[9, 22] == 1
    assert torch.equal(published.fixations, ours.fixations)
    assert both[1].sample("test", 1).truth.max() == 0
    assert both[0].sample("test", 1).truth.max() == 1


@pytest.mark.parametrize("rendering", ["heatmark", "published"])
def test_a_bird_that_nobody_looked_at_has_an_empty_map(root: Path, gaze_root: Path, rendering: str) -> None:
    sample = birds(root, gaze_root=str(gaze_root), rendering=rendering).sample("test", 2)
    assert sample.truth.shape == (30, 40)
    assert sample.truth.max() == 0
    assert sample.fixations.shape == (0, 4)


def test_the_truth_can_be_the_box(root: Path, gaze_root: Path) -> None:
    expected = torch.zeros(30, 40)
    expected[5:20, 10:30] = 1
    assert torch.equal(birds(root, truth="box").sample("test", 0).truth, expected)
    assert len(birds(root, truth="box", gaze_root=str(gaze_root)).sample("test", 0).fixations) == 2


def test_the_truth_can_be_left_out(root: Path) -> None:
    assert birds(root, truth="none").sample("test", 0).truth is None


def test_a_drawn_map_of_another_size_is_brought_to_the_image(root: Path) -> None:
    advgrad(root)
    Image.fromarray(np.full((60, 80), 51, np.uint8)).save(root / "CUB_GHA/1.jpg")
    torch.testing.assert_close(birds(root).sample("test", 0).truth, torch.full((30, 40), 0.2))


def test_the_fingerprint_follows_the_gaze(root: Path, gaze_root: Path) -> None:
    before = birds(root, gaze_root=str(gaze_root)).fingerprint()
    assert birds(root, gaze_root=str(gaze_root), rendering="published").fingerprint() != before
    lines(gaze_root / "Fixation_run2.txt", "1,40,30,22,9,4000")
    assert birds(root, gaze_root=str(gaze_root)).fingerprint() != before


def test_a_copy_without_training_images_can_be_used(root: Path) -> None:
    (root / "images" / NAMES[1]).unlink()
    (root / "images" / NAMES[3]).unlink()
    data = birds(root, only_present=True, truth="none")
    assert data.ids("test") == tuple(f"images/{NAMES[i]}" for i in (0, 2))
    assert len(data.fingerprint()) == 64
    with pytest.raises(HeatmarkError, match="has no image of split 'train'"):
        data.ids("train")


def test_an_absent_image_is_an_error_unless_asked_for(root: Path) -> None:
    (root / "images" / NAMES[3]).unlink()
    with pytest.raises(HeatmarkError, match=r"no image file .*C_1\.jpg, but it is listed; `only_present = true`"):
        birds(root, truth="none").sample("test", 2)


def test_an_absent_map_is_named(root: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no gaze map .*/CUB_GHA/1\.jpg; set `gaze_root`"):
        birds(root).sample("test", 0)


def test_an_absent_folder_of_gaze_is_named(root: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no folder .*/nowhere; expected it to hold Fixation_run1\.txt"):
        birds(root, gaze_root=str(root / "nowhere")).sample("test", 0)


def test_gaze_on_an_image_of_another_size_is_refused(root: Path, gaze_root: Path) -> None:
    lines(gaze_root / "Fixation_run1.txt", "1,400,300,12,8,300")
    with pytest.raises(HeatmarkError, match=r"A_1\.jpg is 40x30, and the gaze of image 1 was taken on 400x300"):
        birds(root, gaze_root=str(gaze_root)).sample("test", 0)


def test_a_wrong_column_is_named(root: Path) -> None:
    advgrad(root)
    lines(root / "test.csv", "split,image,label,gaze", f"0,images/{NAMES[0]},0,CUB_GHA/1.jpg")
    with pytest.raises(HeatmarkError, match=r"test\.csv has no column 'img'; did you mean 'image'"):
        birds(root).ids("test")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("0,../secret.jpg,0,CUB_GHA/1.jpg", r"'../secret.jpg' leaves its root"),
        ("0,images/a.jpg,200,CUB_GHA/1.jpg", r"test\.csv: class '200' is not one of 0 to 199"),
        ("0,images/a.jpg,bird,CUB_GHA/1.jpg", r"test\.csv: class 'bird' is not one of 0 to 199"),
        ("0,images/a.jpg,0,CUB_GHA/one.jpg", r"gaze map 'CUB_GHA/one\.jpg' is not named by the number"),
        (f"0,images/{NAMES[1]},0,CUB_GHA/2.jpg", r"A_2\.jpg is listed twice"),
    ],
)
def test_a_wrong_row_is_named(root: Path, row: str, message: str) -> None:
    advgrad(root)
    lines(root / "test.csv", "split,img,label,gaze", row)
    with pytest.raises(HeatmarkError, match=message):
        birds(root).ids("test")


def test_a_map_that_leaves_the_root_is_refused(root: Path) -> None:
    advgrad(root)
    lines(root / "test.csv", "split,img,label,gaze", f"0,images/{NAMES[0]},0,../1.jpg")
    with pytest.raises(HeatmarkError, match=r"'../1.jpg' leaves its root"):
        birds(root).sample("test", 0)


@pytest.mark.parametrize(
    ("name", "rows", "message"),
    [
        ("images.txt", ("1 a b",), r"images\.txt line 1 has 3 fields, expected 2"),
        ("image_class_labels.txt", ("1 201",), r"image_class_labels\.txt: class '201' is not one of 1 to 200"),
        ("image_class_labels.txt", ("1 1",), r"image 2 \(001\.Black_footed_Albatross/A_2\.jpg\) has no class"),
        ("train_test_split.txt", ("1 2",), r"image 1 \(.*A_1\.jpg\) has no class or no split"),
        ("bounding_boxes.txt", ("2 1 1 1 1",), r"bounding_boxes\.txt has no box of image 1"),
    ],
)
def test_a_wrong_text_file_is_named(root: Path, name: str, rows: tuple[str, ...], message: str) -> None:
    lines(root / name, *rows)
    with pytest.raises(HeatmarkError, match=message):
        birds(root, truth="box").sample("test", 0)


def test_a_root_that_is_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no file .*image_class_labels\.txt"):
        birds(tmp_path).ids("test")


def test_the_real_birds_load_with_gaze_and_boxes(real_data: Path) -> None:
    """250 test images, every fixation inside the bird's box (or within a pixel of its edge)."""
    places = {"root": str(real_data / "CUB_200_2011"), "gaze_root": str(real_data / "cub_gha")}
    gaze, box = (CubGha(**places, only_present=True, truth=truth) for truth in ("gaze", "box"))
    assert len(gaze.ids("test")) == 250
    assert (len(birds(places["root"]).ids("train")), len(birds(places["root"]).ids("test"))) == (5994, 5794)
    for position in range(0, 250, 25):
        bird = gaze.sample("test", position)
        assert (bird.truth.min() >= 0, bird.truth.max()) == (True, 1)
        assert bird.fixations[:, 3].unique().numel() >= 4
        near = torch.nn.functional.max_pool2d(box.sample("test", position).truth[None], 3, 1, 1)[0]
        assert near[bird.fixations[:, 1].long(), bird.fixations[:, 0].long()].all()
