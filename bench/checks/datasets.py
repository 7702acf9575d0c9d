"""What every data set promises."""

import pickle
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from bench.api import Dataset


def lists_its_images(dataset: Dataset, split: str) -> None:
    """Unique ids, a label with a class for each, the same the second time."""
    ids, labels = dataset.ids(split), dataset.labels(split)
    assert split in dataset.present, f"{dataset.name}: {split!r} is not among the splits that are present"
    assert len(ids) == len(labels) == len(set(ids)) > 0, f"{dataset.name} {split}: ids and labels do not match"
    assert all(0 <= label < len(dataset.classes) for label in labels), f"{dataset.name} {split}: a label has no class"
    assert dataset.ids(split) == ids, f"{dataset.name} {split}: the ids change"


def offers_consistent_samples(dataset: Dataset, split: str) -> None:
    """Samples have the listed id and label; images and truth lie in [0, 1] and fit; reading twice gives the same."""
    ids, labels = dataset.ids(split), dataset.labels(split)
    for position in _some(ids):
        sample = dataset.sample(split, position)
        assert sample.id == ids[position], f"{dataset.name}: sample {position} has the id {sample.id!r}"
        assert sample.label == labels[position], f"{dataset.name}: sample {position} has the label {sample.label}"
        assert sample.image.ndim == 3, f"{dataset.name}: an image has the shape {tuple(sample.image.shape)}"
        assert 0 <= sample.image.min() <= sample.image.max() <= 1, f"{dataset.name}: an image leaves [0, 1]"
        assert torch.equal(sample.image, dataset.sample(split, position).image), f"{dataset.name}: not deterministic"
        if sample.truth is not None:
            same = sample.truth.shape == sample.image.shape[1:]
            assert same, f"{dataset.name}: truth {tuple(sample.truth.shape)} for an image {tuple(sample.image.shape)}"
            assert 0 <= sample.truth.min() <= sample.truth.max() <= 1, f"{dataset.name}: a truth map leaves [0, 1]"


def has_truth_for_all_or_none(dataset: Dataset, split: str) -> None:
    """Every sample has a truth map or none has, and the same of fixations: batches are all alike."""
    samples = [dataset.sample(split, position) for position in _some(dataset.ids(split))]
    for part in ("truth", "fixations"):
        without = {getattr(sample, part) is None for sample in samples}
        assert len(without) == 1, f"{dataset.name} {split}: some samples have {part} and some have None"


def places_fixations_on_the_image(dataset: Dataset, split: str) -> None:
    """Fixations are (count, 4), from the top left corner to short of the bottom right."""
    for position in _some(dataset.ids(split)):
        sample = dataset.sample(split, position)
        if sample.fixations is None:
            continue
        shape = tuple(sample.fixations.shape)
        assert shape[1:] == (4,), f"{dataset.name}: fixations of shape {shape}, expected (count, 4)"
        height, width = sample.image.shape[1:]
        within = (sample.fixations[:, :2] >= 0) & (
            sample.fixations[:, :2] < sample.fixations.new_tensor([width, height])
        )
        assert within.all(), f"{dataset.name}: a fixation of {sample.id} lies outside the image"


def has_a_stable_fingerprint(dataset: Dataset, split: str) -> None:
    """A data set made anew with the same settings has the same fingerprint and lists the same images."""
    anew = replace(dataset)
    assert anew.fingerprint() == dataset.fingerprint(), f"{dataset.name}: the fingerprint changes"
    assert anew.ids(split) == dataset.ids(split), f"{dataset.name}: the ids change"


def travels_to_workers(dataset: Dataset, split: str) -> None:
    """It can be pickled after use, and the copy gives the same samples."""
    expected = dataset.sample(split, 0)
    copy = pickle.loads(pickle.dumps(dataset))  # noqa: S301 (its own bytes)
    assert torch.equal(copy.sample(split, 0).image, expected.image), f"{dataset.name}: a copy gives other images"


def _some(ids: Sequence[str]) -> list[int]:
    return sorted({0, len(ids) // 2, len(ids) - 1})


DATASET_CHECKS: tuple[Callable[[Dataset, str], None], ...] = (
    lists_its_images,
    offers_consistent_samples,
    has_truth_for_all_or_none,
    places_fixations_on_the_image,
    has_a_stable_fingerprint,
    travels_to_workers,
)
