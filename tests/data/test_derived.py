"""Data sets made of another one: halves, and images without the pixels of a removal."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.api import Preprocess, Removal
from bench.data.derived import Half, Holes
from bench.datasets.planted import Planted
from tests.support.maps import explained_by_maps

WHOLE = Planted(size=32, train_images=21, val_images=3, test_images=4)


def test_halves_share_nothing_and_leave_nothing_out() -> None:
    halves = [Half(WHOLE, half) for half in (0, 1)]
    ids = [half.ids("train") for half in halves]
    assert not set(ids[0]) & set(ids[1])
    assert sorted(ids[0] + ids[1]) == sorted(WHOLE.ids("train"))
    assert abs(len(ids[0]) - len(ids[1])) <= 1
    for half in halves:
        assert half.ids("val") == WHOLE.ids("val")
        assert half.classes == WHOLE.classes
        for position, (name, label) in enumerate(zip(half.ids("train"), half.labels("train"), strict=True)):
            sample = half.sample("train", position)
            assert (sample.id, sample.label) == (name, label)
    assert len({WHOLE.fingerprint(), *(half.fingerprint() for half in halves)}) == 3
    assert Half(WHOLE, 0).ids("train") == ids[0]


@pytest.mark.parametrize(("first", "kept"), [("highest", [0, 1, 2, 3]), ("lowest", [12, 13, 14, 15])])
def test_a_removal_takes_its_share_from_its_end(first, kept: list[int]) -> None:
    maps = torch.randperm(16, generator=torch.Generator().manual_seed(0)).reshape(1, 4, 4).double()
    images = torch.ones(1, 3, 4, 4, dtype=torch.float64)
    shown = Removal(0.75, first).shown(explained_by_maps(maps, images=images))[0, 0]
    assert sorted(maps[0][shown == 1].tolist()) == kept


def test_ties_are_removed_at_random_and_alike_for_an_image() -> None:
    own = explained_by_maps(torch.zeros(40, 4, 4), images=torch.ones(40, 3, 4, 4))
    gone = Removal(0.5, "highest").shown(own)[:, 0] == 0
    assert (gone.flatten(1).sum(1) == 8).all()
    assert 0.25 < gone.double().mean(0).min() <= gone.double().mean(0).max() < 0.75
    alone = Removal(0.5, "highest").shown(own.select([7]))[0, 0] == 0
    assert torch.equal(alone, gone[7])


def test_holes_have_the_mean_colour_and_the_rest_is_as_it_was() -> None:
    order = np.random.default_rng(0).permuted(np.tile(np.arange(1024, dtype=np.int32), (21, 1)), axis=1)
    ranked = (order.reshape(21, 32, 32), {position: position for position in range(21)})
    preprocess = Preprocess((32, 32), None, (0.4, 0.5, 0.6), (0.2, 0.2, 0.2))
    holes = Holes(WHOLE, preprocess, Removal(0.25, "highest"), "of nothing", lambda split: ranked)
    sample, whole = holes.sample("train", 5), WHOLE.sample("train", 5)
    gone = torch.from_numpy(ranked[0][5] < 256)
    assert torch.equal(sample.image[:, ~gone], whole.image[:, ~gone])
    torch.testing.assert_close(sample.image[:, gone], torch.tensor([[0.4], [0.5], [0.6]]).expand(3, 256))
    assert sample.label == whole.label
    assert torch.equal(sample.truth, whole.truth)
    others = [replace(holes, removal=Removal(0.5, "highest")), replace(holes, source="of something"), WHOLE]
    assert holes.fingerprint() not in {other.fingerprint() for other in others}
