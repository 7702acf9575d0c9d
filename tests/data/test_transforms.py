from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bench.api import Preprocess, Sample
from bench.data.transforms import crop, inside, normalise, prepare, read_image, read_mask, resize
from bench.errors import HeatmarkError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def photo(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def sample(height: int = 40, width: int = 60, channels: int = 3) -> Sample:
    draws = np.random.default_rng(1)
    points = np.stack([draws.uniform(0, width, 20), draws.uniform(0, height, 20), draws.integers(100, 900, 20)], 1)
    return Sample(
        "bird",
        torch.from_numpy(draws.random((channels, height, width))),
        3,
        torch.from_numpy(draws.random((height, width))),
        torch.from_numpy(np.concatenate([points, np.ones((20, 1))], 1)),
    )


@pytest.mark.parametrize("shape", [(91, 131), (131, 91), (64, 64), (300, 70)])
def test_an_image_file_is_prepared_as_torchvision_evaluates_it(tmp_path: Path, shape: tuple[int, int]) -> None:
    from torchvision import transforms

    image = photo(*shape)
    image.save(tmp_path / "image.png")
    usual = transforms.Compose(
        [transforms.Resize(64), transforms.CenterCrop(56), transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
    )
    ours = prepare(Sample("a", read_image(tmp_path / "image.png"), 0), Preprocess((56, 56), 64, MEAN, STD))
    torch.testing.assert_close(ours.image, usual(image), rtol=0, atol=1e-6)


def test_other_images_are_resized_in_their_own_floating_point() -> None:
    from torchvision.transforms import functional

    given_sample = sample()
    resized = resize(given_sample, (15, 25))
    assert resized.image.dtype == torch.float64
    torch.testing.assert_close(resized.image, functional.resize(given_sample.image, [15, 25], antialias=True))


def test_nothing_changes_where_the_size_fits() -> None:
    given_sample = sample(32, 48)
    prepared = prepare(given_sample, Preprocess((32, 48)))
    assert torch.equal(prepared.image, given_sample.image)
    assert torch.equal(prepared.truth, given_sample.truth)
    assert torch.equal(prepared.fixations, given_sample.fixations)


@given(height=st.integers(20, 70), width=st.integers(20, 70), row=st.floats(0.3, 0.7), column=st.floats(0.3, 0.7))
def test_image_truth_and_fixations_stay_together(height: int, width: int, row: float, column: float) -> None:
    """A blob drawn in all three ends at one place, whatever is resized and cut."""
    y, x = round(row * (height - 1)), round(column * (width - 1))
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    blob = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2).double() / 18)
    points = torch.tensor([[x + 0.5, y + 0.5, 300, 1]], dtype=torch.float64)
    ours = prepare(Sample("a", blob[None], 0, blob, points), Preprocess((32, 32), 40, (0.0,), (1.0,)))
    if len(ours.fixations) and ours.truth.max() > 0.5:
        peak = divmod(int(ours.truth.argmax()), 32)
        assert abs(peak[0] + 0.5 - float(ours.fixations[0, 1])) <= 1
        assert abs(peak[1] + 0.5 - float(ours.fixations[0, 0])) <= 1
    torch.testing.assert_close(ours.image[0], ours.truth)


def test_fixations_outside_the_cut_are_dropped_and_the_rest_moved() -> None:
    points = torch.tensor([[9, 10, 1, 1], [10, 10, 2, 1], [29, 29, 3, 2], [30, 29, 4, 2]], dtype=torch.float64)
    cut = crop(replace(sample(40, 40), fixations=points), 10, 10, (20, 20))
    assert cut.fixations.tolist() == [[0, 0, 2, 1], [19, 19, 3, 2]]


def test_every_fixation_stays_inside_when_nothing_is_cut() -> None:
    corners = torch.tensor([[0, 0, 1, 1], [59.9, 39.9, 1, 1], [0, 39.5, 1, 1]], dtype=torch.float64)
    for size in ((7, 11), (40, 60), (133, 201)):
        moved = resize(replace(sample(), fixations=corners), size)
        assert len(crop(moved, 0, 0, size).fixations) == 3


def test_a_grey_image_gets_the_channels_of_the_network() -> None:
    grey = sample(channels=1)
    assert prepare(grey, Preprocess((20, 30))).image.shape == (3, 20, 30)
    assert prepare(grey, Preprocess((20, 30), mean=(0.5,), std=(0.5,))).image.shape == (1, 20, 30)
    with pytest.raises(HeatmarkError, match="3 channels met a network that takes 1"):
        prepare(sample(), Preprocess((20, 30), mean=(0.5,), std=(0.5,)))


def test_the_callers_tensors_are_left_alone() -> None:
    given_sample = sample()
    before = given_sample.image.clone(), given_sample.truth.clone(), given_sample.fixations.clone()
    prepare(given_sample, Preprocess((16, 16), 20, MEAN, STD))
    after = given_sample.image, given_sample.truth, given_sample.fixations
    assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_a_cut_larger_than_the_image_is_refused() -> None:
    with pytest.raises(HeatmarkError, match="resizes to 20x30, smaller than its size 24x24"):
        prepare(sample(), Preprocess((24, 24), 20))


def test_normalise_uses_mean_and_std_per_channel() -> None:
    image = torch.full((3, 2, 2), 0.5, dtype=torch.float64)
    expected = [(0.5 - mean) / std for mean, std in zip(MEAN, STD, strict=True)]
    assert normalise(image, Preprocess(mean=MEAN, std=STD))[:, 1, 1].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA", "CMYK", "1", "I;16"])
def test_every_kind_of_file_becomes_rgb(tmp_path: Path, mode: str) -> None:
    ramp = np.repeat(np.linspace(0, 255, 16, dtype=np.uint8)[None], 8, 0)
    if mode == "I;16":
        image, path = Image.fromarray(ramp.astype(np.uint16) * 257), tmp_path / "image.png"
    else:
        image, path = Image.fromarray(ramp).convert(mode), tmp_path / "image.tif"
    image.save(path)
    read = read_image(path)
    assert read.shape == (3, 8, 16)
    assert read.dtype == torch.float32
    assert read.min() == 0
    assert read.max() == 1
    if mode != "1":
        torch.testing.assert_close(read[0].double(), torch.from_numpy(ramp / 255), rtol=0, atol=0.02)


def test_exif_turns_the_image_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((10, 20), np.uint8)).save(tmp_path / "image.jpg", exif=exif)
    assert read_image(tmp_path / "image.jpg").shape == (3, 20, 10)


def test_a_palette_with_transparency_raises_no_warning(tmp_path: Path) -> None:
    image = Image.fromarray(np.zeros((4, 4), np.uint8)).convert("P")
    image.save(tmp_path / "image.png", transparency=bytes([0, 255]))
    assert read_image(tmp_path / "image.png").shape == (3, 4, 4)


def test_a_mask_is_one_map(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 255], [51, 102]], np.uint8)).save(tmp_path / "mask.png")
    torch.testing.assert_close(read_mask(tmp_path / "mask.png"), torch.tensor([[0, 1], [0.2, 0.4]]))


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    whole = tmp_path / "whole.jpg"
    photo(64, 64).save(whole)
    for name, keep in (("half.jpg", 2000), ("head.jpg", 100), ("empty.jpg", 0)):
        (tmp_path / name).write_bytes(whole.read_bytes()[:keep])
        with pytest.raises(HeatmarkError, match=rf"{name} cannot be read: .*expected a whole image"):
            read_image(tmp_path / name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(HeatmarkError, match=r"no image file .*absent\.jpg"):
        read_image(tmp_path / "absent.jpg")


@pytest.mark.parametrize("relative", ["../secret.jpg", "a/../../b.jpg", "/etc/passwd", "", "a/.."])
def test_a_path_that_leaves_the_root_is_refused(tmp_path: Path, relative: str) -> None:
    with pytest.raises(HeatmarkError, match="leaves its root"):
        inside(tmp_path, relative)


def test_a_path_below_the_root_is_kept(tmp_path: Path) -> None:
    assert inside(tmp_path, "images/a..b.jpg") == tmp_path / "images" / "a..b.jpg"


LEVELS = np.arange(256, dtype=np.uint16).reshape(16, 16) * 257
WRITTEN = {
    "little.tif": lambda: Image.fromarray(LEVELS),
    "big.tif": lambda: Image.frombytes("I;16B", (16, 16), LEVELS.astype(">u2").tobytes()),
    "sixteen.png": lambda: Image.fromarray(LEVELS),
    "float.tif": lambda: Image.fromarray((LEVELS / 65535).astype(np.float32)),
}
REFUSED = {
    "whole.tif": (lambda: Image.fromarray(LEVELS.astype(np.int32)), "32 bits per pixel"),
    "large.tif": (lambda: Image.fromarray(LEVELS.astype(np.float32)), "values reach from 0 to 65535"),
    "nan.tif": (lambda: Image.fromarray(np.full((4, 4), np.nan, np.float32)), "values reach from nan"),
    "below.tif": (lambda: Image.fromarray(np.full((4, 4), -0.5, np.float32)), "values reach from -0.5"),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_pixels_of_more_than_eight_bits_are_read_right(tmp_path: Path, name: str) -> None:
    WRITTEN[name]().save(tmp_path / name)
    expected = torch.arange(256).reshape(16, 16) / 255
    torch.testing.assert_close(read_image(tmp_path / name), expected.expand(3, -1, -1))
    torch.testing.assert_close(read_mask(tmp_path / name), expected)


@pytest.mark.parametrize("name", REFUSED)
def test_pixels_of_another_range_are_refused(tmp_path: Path, name: str) -> None:
    make, reason = REFUSED[name]
    make().save(tmp_path / name)
    with pytest.raises(HeatmarkError, match=reason):
        read_image(tmp_path / name)
