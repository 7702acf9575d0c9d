"""Planted parts: where they lie, what tells a class, and that a part painted grey is as if it had never been there."""

from itertools import combinations

import pytest
import torch

from bench.data.part_kinds import AREA, CLASSES, EFFECTS, FORMS, GREY, SLOTS, directions, kinds_of, strange_directions
from bench.datasets.planted_parts import PlantedParts
from bench.errors import HeatmarkError

DATASET = PlantedParts()


def test_two_classes_have_at_most_one_kind_in_common_and_every_kind_is_in_three() -> None:
    for one, other in combinations(range(CLASSES), 2):
        assert len(set(kinds_of(one)) & set(kinds_of(other))) <= 1
    of_all = [kind for label in range(CLASSES) for kind in kinds_of(label)]
    assert all(of_all.count(kind) == 3 for kind in range(12))
    assert len(set(DATASET.classes)) == CLASSES


def test_colours_lie_as_far_apart_as_can_be() -> None:
    cosines = directions() @ directions().T - 2 * torch.eye(12)
    assert cosines.amax().item() == pytest.approx(5**-0.5)
    assert (directions() @ strange_directions().T).amax().item() == pytest.approx(0.7947, abs=1e-4)


@pytest.mark.parametrize("position", range(9))
def test_an_image_has_four_parts_of_its_class_and_three_that_mean_nothing(position: int) -> None:
    sample = DATASET.sample("test", position)
    assert sample.truth is not None
    for slot, effect in enumerate(EFFECTS):
        where = sample.truth == effect / max(EFFECTS)
        assert int(where.sum()) == AREA == FORMS[slot][0] * FORMS[slot][1]
        expected = GREY + 0.45 * directions()[kinds_of(sample.label)[slot]].float()
        torch.testing.assert_close(sample.image[:, where], expected[:, None].expand(3, AREA))
    coloured = (sample.image != GREY).any(0)
    assert int(coloured.sum()) == AREA * (SLOTS + 3)
    assert bool(coloured[sample.truth > 0].all())


def test_only_images_for_training_lack_a_part_and_half_of_them_do() -> None:
    parts = {
        split: [len(DATASET.sample(split, position).truth.unique()) - 1 for position in range(60)]
        for split in ("train", "test")
    }
    assert set(parts["test"]) == {SLOTS}
    assert set(parts["train"]) == {SLOTS - 1, SLOTS}
    assert 15 < parts["train"].count(SLOTS) < 45


def test_what_there_is_not_is_refused() -> None:
    for split, position in (("test", 500), ("valid", 0)):
        with pytest.raises(HeatmarkError, match="planted_parts"):
            DATASET.sample(split, position)
    with pytest.raises(ValueError, match="expected 0 to 6"):
        PlantedParts(distractors=7)
    assert int((PlantedParts(distractors=6).sample("test", 1).image != GREY).any(0).sum()) == AREA * 10
