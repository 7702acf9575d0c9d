import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.data.gaze import Viewing, fixations_of, published_map, read_gaze, screen_map
from bench.errors import HeatmarkError
from bench.functional.truth_maps import gaze_map
from tests.support.maps import golden

GOLDEN = golden("cub_gha")
STORED = (1, 2, 4, 5, 6, 7, 8)


def viewing_of(line: str, folder: Path) -> Viewing:
    (folder / "Fixation.txt").write_bytes(line.encode() + b"\r\n")
    ((viewing,),) = read_gaze(folder).values()
    return viewing


@pytest.mark.parametrize("index", STORED)
def test_the_published_script_is_drawn_from_lines_of_the_screen(index: int, tmp_path: Path) -> None:
    viewing = viewing_of(str(GOLDEN["script_lines"][index]), tmp_path)
    drawn = (published_map([viewing], 0) * 255).round().byte()
    assert np.array_equal(drawn, GOLDEN[f"map_{index}"])


@pytest.mark.parametrize("index", STORED[:-1])
def test_the_published_script_is_drawn_from_lines_of_the_image(index: int, tmp_path: Path) -> None:
    viewing = viewing_of(str(GOLDEN["raw_lines"][index]), tmp_path)
    drawn = (published_map([viewing], 0) * 255).round().byte()
    assert np.array_equal(drawn, GOLDEN[f"map_{index}"])


@pytest.mark.parametrize("index", STORED[:-1])
def test_the_last_fixation_is_what_the_published_script_drops(index: int, tmp_path: Path) -> None:
    """From all but the last fixation both renderings agree, to the script's rounding; the last one matters."""
    viewing = viewing_of(str(GOLDEN["script_lines"][index]), tmp_path)
    fixations = fixations_of([viewing], 0)
    published = published_map([viewing], 0)
    assert len(fixations) - 1 == len(GOLDEN[f"fix_used_{index}"])
    torch.testing.assert_close(gaze_map(fixations[:-1], viewing.height, viewing.width), published, rtol=0, atol=2 / 255)
    assert (gaze_map(fixations, viewing.height, viewing.width) - published).abs().max() > 2 / 255


@pytest.mark.parametrize("index", [1, 2, 4, 5, 7, 8])
def test_the_map_on_the_screen_has_the_golden_values(index: int, tmp_path: Path) -> None:
    viewing = viewing_of(str(GOLDEN["script_lines"][index]), tmp_path)
    ours = screen_map([viewing], 0)[::27, ::27] * 255
    np.testing.assert_allclose(ours, GOLDEN[f"norm255_sample_{index}"], rtol=0, atol=1e-11)


def slow_map(fixations: np.ndarray, height: int, width: int) -> np.ndarray:
    """From the definition: for each fixation, a Gaussian of 75 pixels of the fitted display, times its duration."""
    scale = min(1920 / width, 1080 / height)
    drawn = np.zeros((height, width))
    for x, y, duration, _ in fixations:
        for row in range(height):
            for column in range(width):
                dx, dy = (column + 0.5 - x) * scale, (row + 0.5 - y) * scale
                if -250 <= dx < 250 and -250 <= dy < 250:
                    drawn[row, column] += duration * math.exp(-(dx**2 + dy**2) / (2 * 75**2))
    return (drawn - drawn.min()) / (drawn.max() - drawn.min())


def test_a_map_follows_its_definition() -> None:
    fixations = np.array([[3.5, 4.5, 200, 1], [20.5, 9.5, 700, 2], [39.5, 0.5, 100, 2]])
    ours = gaze_map(torch.from_numpy(fixations), 30, 40)
    np.testing.assert_allclose(ours, slow_map(fixations, 30, 40), atol=1e-6)


@given(st.lists(st.tuples(st.integers(0, 49), st.integers(0, 29), st.integers(1, 5000)), max_size=8))
def test_a_map_is_finite_and_between_zero_and_one(points: list[tuple[int, int, int]]) -> None:
    viewing = Viewing(1, 1, 30, 50, np.array(points, dtype=np.int64).reshape(-1, 3))
    for drawn in (gaze_map(fixations_of([viewing], 0), 30, 50), published_map([viewing], 0)):
        assert drawn.shape == (30, 50)
        assert drawn.isfinite().all()
        assert drawn.min() >= 0
        assert drawn.max() <= 1
    assert bool(points) == bool(gaze_map(fixations_of([viewing], 0), 30, 50).max() == 1)


def test_both_forms_of_file_mean_the_same_fixations(tmp_path: Path) -> None:
    image = viewing_of("7,500,375,200,145,179,160,168,765", tmp_path)
    screen = viewing_of("7,500,375,1440,1080,240,0,816,418,179,701,484,765", tmp_path)
    assert fixations_of([image], 0).tolist() == [[200.5, 145.5, 179, 1], [160.5, 168.5, 765, 1]]
    torch.testing.assert_close(fixations_of([screen], 0), fixations_of([image], 0), rtol=0, atol=0.6)


def test_fixations_beside_the_image_or_too_short_are_dropped(tmp_path: Path) -> None:
    viewing = viewing_of("7,500,375,1440,1080,240,0,239,418,500,240,1079,99,1679,0,100,1680,5,300", tmp_path)
    assert fixations_of([viewing], 100)[:, 2].tolist() == [100]
    assert fixations_of([viewing], 0)[:, 2].tolist() == [99, 100]


def test_lines_of_one_image_are_put_together_and_viewings_told_apart(tmp_path: Path) -> None:
    (tmp_path / "Fixation_run1.txt").write_bytes(b"5,40,30,1,2,300\r\n6,40,30,9,9,200\r\n5,40,30,3,4,400\r\n")
    (tmp_path / "Fixation_run2.txt").write_bytes(b"5,40,30,7,8,500\r\n")
    fixations = fixations_of(read_gaze(tmp_path)[5], 100)
    assert fixations[:, 2:].tolist() == [[300, 1], [400, 1], [500, 2]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("5,40,30,1,2", r"line 1 has 5 fields; expected 3, or 7"),
        ("5,40", r"line 1 has 2 fields"),
        ("5,40,30,1,2,x", r"line 1: invalid literal.*expected whole numbers"),
        ("5,0,30,1,2,3", r"line 1: an image of 0x30 pixels"),
    ],
)
def test_a_broken_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=rf"Fixation\.txt {message}"):
        viewing_of(line, tmp_path)


def test_a_folder_without_gaze_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=rf"no gaze in {tmp_path}; expected Fixation_run1\.txt"):
        read_gaze(tmp_path)


def test_the_real_files_hold_what_was_counted(real_data: Path) -> None:
    """The counts of every run, and the oddities: repeated images, missing images, short fixations."""
    gaze = read_gaze(real_data / "cub_gha")
    counted = {number: {"lines": 0, "images": set(), "fixations": 0, "single": 0, "short": 0} for number in range(1, 6)}
    for image, viewings in gaze.items():
        for viewing in viewings:
            run = counted[viewing.number]
            run["lines"] += 1
            run["images"].add(image)
            run["fixations"] += len(viewing.points)
            run["single"] += len(viewing.points) == 1
            run["short"] += int((viewing.points[:, 2] < 100).sum())
    expected = json.loads((Path(__file__).parents[1] / "golden/cub_stats.json").read_text())["runs"]
    assert len(gaze) == 11788
    for number, run in counted.items():
        stats = expected[str(number)]
        assert run["lines"] == stats["lines"]
        assert len(run["images"]) == stats["distinct_images"]
        assert run["fixations"] == stats["fixations_total"]
        assert run["single"] == stats["lines_with_exactly_one_fixation"]
        assert run["short"] == stats["durations_below_100ms"]


def test_five_real_viewings_give_the_golden_map(real_data: Path) -> None:
    viewings = read_gaze(real_data / "cub_gha")[44]
    drawn = (published_map(viewings, 100) * 255).round().byte()
    assert np.array_equal(drawn, GOLDEN["map_7"])
