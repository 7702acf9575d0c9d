"""Planted: nothing but the texture under the truth map tells the class."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from scipy.stats import chi2_contingency
from skimage.io import imsave
from torch import Tensor

from bench.data import textures
from bench.data.textures import QUARTERS, Photograph, quarter
from bench.datasets.planted import EVIDENCE, Planted
from bench.errors import HeatmarkError

CLASSES = len(EVIDENCE)
TRAINED_ON, TRIED_ON = 2400, 800
# Four standard errors above the share that guessing gets right.
CHANCE = 1 / CLASSES + 4 * (1 / CLASSES * (1 - 1 / CLASSES) / TRIED_ON) ** 0.5


@pytest.fixture(scope="module")
def scenes() -> tuple[Tensor, Tensor, np.ndarray]:
    """Images, truth maps and labels: of one split, so that the shortcuts have it as easy as can be."""
    samples = [Planted(size=32).sample("train", i) for i in range(TRAINED_ON + TRIED_ON)]
    truth = torch.stack([sample.truth for sample in samples if sample.truth is not None])
    return torch.stack([s.image for s in samples]), truth, np.array([s.label for s in samples])


def accuracy_of_ridge(features: np.ndarray, labels: np.ndarray, penalty: float = 1.0) -> float:
    """Test accuracy of ridge regression on one-hot labels, in its dual form."""
    scaled = (features - features[:TRAINED_ON].mean(0)) / (features[:TRAINED_ON].std(0) + 1e-6)
    scaled = np.concatenate([scaled, np.ones((len(scaled), 1))], 1) / scaled.shape[1] ** 0.5
    known, unknown = scaled[:TRAINED_ON], scaled[TRAINED_ON:]
    weights = np.linalg.solve(known @ known.T + penalty * np.eye(TRAINED_ON), np.eye(CLASSES)[labels[:TRAINED_ON]])
    return float(((unknown @ known.T @ weights).argmax(1) == labels[TRAINED_ON:]).mean())


def colour_histograms(images: Tensor, kept: np.ndarray | None = None) -> np.ndarray:
    levels = (images.permute(0, 2, 3, 1).numpy() * 5.999).astype(int) @ np.array([36, 6, 1])
    weights = np.ones(levels.shape) if kept is None else kept
    return np.stack([np.bincount(a.ravel(), w.ravel(), 216) for a, w in zip(levels, weights, strict=True)])


def test_an_image_is_decided_by_seed_split_and_position_alone() -> None:
    one = Planted().sample("test", 5)
    again = Planted(test_images=9, train_images=1).sample("test", 5)
    assert torch.equal(one.image, again.image)
    assert one.truth is not None
    assert again.truth is not None
    assert torch.equal(one.truth, again.truth)
    for other in (Planted(seed=1).sample("test", 5), Planted().sample("val", 5), Planted().sample("test", 13)):
        assert not torch.equal(one.image, other.image)
    assert (one.id, one.label) == ("test/000005", 5)


@pytest.mark.parametrize("size", [32, 64, 96, 128, 224])
def test_every_size_has_one_patch_of_evidence(size: int) -> None:
    samples = [Planted(size=size).sample("test", i) for i in range(CLASSES)]
    for sample in samples:
        assert sample.image.shape == (3, size, size)
        assert sample.image.dtype == torch.float32
        assert sample.truth is not None
        assert set(sample.truth.unique().tolist()) == {0.0, 1.0}
    shares = [float(sample.truth.mean()) for sample in samples if sample.truth is not None]
    assert 0.06 < min(shares) <= max(shares) < 0.18


def test_no_two_splits_share_a_part_of_a_photograph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.tile(np.arange(200, dtype=np.uint8), (60, 1))
    imsave(tmp_path / "columns.png", columns, check_contrast=False)
    monkeypatch.setattr(textures, "file_path", lambda file: tmp_path / file)
    shown = {
        split: {
            int(value)
            for number in QUARTERS[split]
            for value in (quarter(Photograph("columns.png", 1.0), number, 1.0) * 255).round().ravel()
        }
        for split in Planted.splits
    }
    assert sorted(value for values in shown.values() for value in values) == list(range(200))


def test_all_patches_of_evidence_have_one_histogram() -> None:
    for position in range(4 * CLASSES):
        sample = Planted(size=48).sample("val", position)
        assert sample.truth is not None
        for channel in sample.image[:, sample.truth > 0].numpy():
            even = np.linspace(channel.min(), channel.max(), len(channel))
            assert np.abs(np.sort(channel) - even).max() < 1.5 / 255


def test_form_and_place_of_the_truth_do_not_tell_the_class(scenes: tuple[Tensor, Tensor, np.ndarray]) -> None:
    truth, labels = scenes[1].numpy(), scenes[2]
    down, across = np.mgrid[:32, :32]
    area = truth.sum((1, 2))
    row, column = (truth * down).sum((1, 2)) / area, (truth * across).sum((1, 2)) / area
    for trait in (area, row, column, np.hypot(row - 15.5, column - 15.5)):
        quartile = np.searchsorted(np.quantile(trait, (0.25, 0.5, 0.75)), trait)
        table = np.zeros((CLASSES, 4))
        np.add.at(table, (labels, quartile), 1)
        assert chi2_contingency(table).pvalue > 0.001
    assert accuracy_of_ridge(truth.reshape(len(truth), -1), labels) < CHANCE


def test_a_linear_classifier_on_pixels_is_near_chance(scenes: tuple[Tensor, Tensor, np.ndarray]) -> None:
    images, _, labels = scenes
    assert accuracy_of_ridge(images.flatten(1).numpy(), labels) < CHANCE


def test_a_colour_histogram_is_near_chance(scenes: tuple[Tensor, Tensor, np.ndarray]) -> None:
    images, truth, labels = scenes
    assert accuracy_of_ridge(colour_histograms(images), labels) < CHANCE
    assert accuracy_of_ridge(colour_histograms(images, truth.numpy()), labels) < CHANCE


def test_what_lies_outside_the_evidence_is_near_chance(scenes: tuple[Tensor, Tensor, np.ndarray]) -> None:
    images, truth, labels = scenes
    wide = torch.from_numpy(binary_dilation(truth.numpy() > 0, np.ones((1, 5, 5))))[:, None]
    hidden = torch.where(wide, images.mean((2, 3), keepdim=True), images)
    assert accuracy_of_ridge(hidden.flatten(1).numpy(), labels) < CHANCE
    assert accuracy_of_ridge(colour_histograms(images, ~wide[:, 0].numpy()), labels) < CHANCE


def test_a_wrong_setting_is_one_line() -> None:
    with pytest.raises(HeatmarkError, match="did you mean 'test'"):
        Planted().ids("tests")
    with pytest.raises(HeatmarkError, match="no image 9 in 'val', which has 9"):
        Planted(val_images=9).sample("val", 9)
    with pytest.raises(ValueError, match="expected 32 pixels"):
        Planted(size=16)
    with pytest.raises(ValueError, match="no room for more"):
        Planted(distractors=3)
