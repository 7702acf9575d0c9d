from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench.api import Preprocess, Sample
from bench.api.randomness import generator
from bench.data.transforms import prepare
from bench.errors import HeatmarkError
from bench.training.augmentation import augmented
from bench.training.hyperparameters import Augmentation

PREPROCESS = Preprocess((32, 32), 40, (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
PLAIN = replace(PREPROCESS, mean=(0.0,) * 3, std=(1.0,) * 3)
EVERYTHING = Augmentation("random", 0.5, 30.0, 5, 0.4, 0.4, 0.4, 0.1)


def sample(height: int = 48, width: int = 64) -> Sample:
    """A bright blob in image, truth and fixation alike."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    blob = torch.exp(-((rows - 20) ** 2 + (columns - 36) ** 2).double() / 24)
    points = torch.tensor([[36.5, 20.5, 300, 1]], dtype=torch.float64)
    return Sample("bird", blob.expand(3, -1, -1).clone(), 0, blob, points)


def peak(truth: torch.Tensor) -> tuple[float, float]:
    """Column and row of the centre of mass."""
    rows, columns = torch.meshgrid(torch.arange(32) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    mass = truth / truth.sum()
    return float((mass * columns).sum()), float((mass * rows).sum())


def test_by_default_it_is_the_preparation_for_evaluation() -> None:
    ours, usual = augmented(sample(), Augmentation(), PREPROCESS, generator(0)), prepare(sample(), PREPROCESS)
    assert torch.equal(ours.image, usual.image)
    assert torch.equal(ours.truth, usual.truth)
    assert torch.equal(ours.fixations, usual.fixations)


@given(seed=st.integers(0, 1000), crop=st.sampled_from(["centre", "random", "random_resized"]))
def test_image_truth_and_fixations_stay_together(seed: int, crop: str) -> None:
    turned = Augmentation(crop, flip=0.5, rotation=30.0)
    ours = augmented(sample(), turned, PLAIN, generator(seed))
    torch.testing.assert_close(ours.image[0], ours.truth, rtol=0, atol=1e-6)
    if ours.truth.max() > 0.8 and len(ours.fixations) and min(peak(ours.truth)) > 8 and max(peak(ours.truth)) < 24:
        column, row = peak(ours.truth)
        tolerance = 2.5 if crop == "random_resized" else 1.0
        assert float(ours.fixations[0, 0]) == pytest.approx(column, abs=tolerance)
        assert float(ours.fixations[0, 1]) == pytest.approx(row, abs=tolerance)


def test_rotation_turns_points_as_it_turns_images() -> None:
    from bench.training.augmentation import _turned, _turned_points

    given_sample = sample(48, 48)
    for angle in (-30.0, 17.0, 90.0):
        image = _turned(given_sample.truth[None], angle)[0]
        (point,) = _turned_points(given_sample.fixations, angle, torch.Size((1, 48, 48)))
        row, column = divmod(int(image.argmax()), 48)
        assert abs(point[0] - column - 0.5) < 0.75
        assert abs(point[1] - row - 0.5) < 0.75


def test_flipping_mirrors_all_three() -> None:
    ours = augmented(sample(40, 40), Augmentation(flip=1.0), replace(PLAIN, resize=None, size=(40, 40)), generator(0))
    assert torch.equal(ours.image, sample(40, 40).image.flip(2))
    assert torch.equal(ours.truth, sample(40, 40).truth.flip(1))
    assert ours.fixations.tolist() == [[3.5, 20.5, 300, 1]]


def test_flip_is_the_share_of_mirrored_images() -> None:
    whole = replace(PLAIN, resize=None, size=(48, 64))
    flipped = [
        not torch.equal(augmented(sample(), Augmentation(flip=0.3), whole, generator(seed)).truth, sample().truth)
        for seed in range(400)
    ]
    assert 0.2 < np.mean(flipped) < 0.4


def test_colour_and_blur_leave_truth_and_fixations_alone() -> None:
    coloured = replace(EVERYTHING, crop="centre", flip=0.0, rotation=0.0)
    ours, usual = augmented(sample(), coloured, PREPROCESS, generator(3)), prepare(sample(), PREPROCESS)
    assert torch.equal(ours.truth, usual.truth)
    assert torch.equal(ours.fixations, usual.fixations)
    assert not torch.allclose(ours.image, usual.image, atol=0.01)


def test_the_same_stream_gives_the_same_image_and_another_gives_another() -> None:
    first, again, other = (augmented(sample(), EVERYTHING, PREPROCESS, generator(key)) for key in (1, 1, 2))
    assert torch.equal(first.image, again.image)
    assert not torch.equal(first.image, other.image)


def test_no_other_chance_is_used() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    augmented(sample(), EVERYTHING, PREPROCESS, generator(0))
    assert torch.equal(before, torch.get_rng_state())


@given(
    seed=st.integers(0, 1000), channels=st.sampled_from([1, 3]), dtype=st.sampled_from([torch.float32, torch.float64])
)
def test_the_image_stays_in_range_and_in_its_dtype(seed: int, channels: int, dtype: torch.dtype) -> None:
    given_sample = replace(sample(), image=sample().image[:channels].to(dtype))
    ours = augmented(given_sample, EVERYTHING, PLAIN, generator(seed))
    assert ours.image.shape == (3, 32, 32)
    assert ours.image.dtype == dtype
    assert ours.image.min() >= -1e-6
    assert ours.image.max() <= 1 + 1e-6


@given(height=st.integers(3, 90), width=st.integers(3, 90), seed=st.integers(0, 50))
def test_a_resized_window_fits_every_shape(height: int, width: int, seed: int) -> None:
    image = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    ours = augmented(Sample("a", image, 0), Augmentation("random_resized"), PLAIN, generator(seed))
    assert ours.image.shape == (3, 32, 32)
    assert ours.image.isfinite().all()


def test_random_crops_reach_everywhere() -> None:
    index = torch.arange(8.0).expand(1, 8, 8) / 8
    whole = Preprocess((4, 4), (8, 8), (0.0,), (1.0,))
    lefts = {
        float(augmented(Sample("a", index, 0), Augmentation("random"), whole, generator(seed)).image[0, 0, 0]) * 8
        for seed in range(100)
    }
    assert lefts == {0, 1, 2, 3, 4}


def test_a_crop_that_does_not_fit_is_refused() -> None:
    with pytest.raises(HeatmarkError, match="a random crop of 32x32 does not fit the image resized to 20x26"):
        augmented(sample(), Augmentation("random"), replace(PLAIN, resize=20), generator(0))


def test_the_callers_tensors_are_left_alone() -> None:
    given_sample = sample()
    augmented(given_sample, EVERYTHING, PREPROCESS, generator(0))
    assert torch.equal(given_sample.image, sample().image)
    assert torch.equal(given_sample.truth, sample().truth)
    assert torch.equal(given_sample.fixations, sample().fixations)


@pytest.mark.parametrize(
    "settings", [{"flip": 1.5}, {"blur": 4}, {"blur": -3}, {"hue": 0.6}, {"rotation": -1.0}, {"contrast": -0.1}]
)
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(settings))} .*: expected"):
        Augmentation(**settings)
