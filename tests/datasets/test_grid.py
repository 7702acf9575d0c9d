"""Mosaics: where the image that is asked about lies, and the share of attribution that metrics see there."""

from dataclasses import replace

import pytest
import torch

from bench.checks.common import explained_on
from bench.checks.fixtures import TargetGradient, small_network, small_request
from bench.datasets.grid import Grid
from bench.errors import HeatmarkError
from bench.metrics.agreement.grid_pointing_game import GridPointingGame


def test_the_truth_is_the_cell_of_the_image_with_the_label() -> None:
    rows, grid = 2, Grid(cell=64, count=12)
    tops = set()
    for position in range(4):
        sample = grid.sample("test", position)
        assert sample.truth is not None
        assert sample.image.shape == (3, 64 * rows, 64 * rows)
        inside = sample.truth.bool()
        assert inside.sum() == 64 * 64
        top, left = inside.nonzero()[0].tolist()
        own = grid.base.sample("test", position)
        assert torch.equal(sample.image[:, top : top + 64, left : left + 64], own.image)
        assert sample.label == own.label
        tops.add((top, left))
    assert len(tops) > 1


def test_every_other_image_is_of_another_class() -> None:
    grid = Grid(rows=2)
    labels = grid.base.labels("test")
    rng = torch.Generator().manual_seed(0)
    for position in range(20):
        others = grid._others("test", position, lambda count: torch.randperm(count, generator=rng).numpy())
        assert len({labels[own] for own in (position, *others)}) == 4


@pytest.mark.parametrize(
    ("grid", "message"),
    [(Grid(rows=3), "rows = 3: planted has 8 classes, too few"), (Grid(of="grid"), "expected another data set")],
)
def test_what_cannot_be_a_mosaic_is_refused(grid: Grid, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        grid.sample(grid.base.splits[0], 0)


def test_the_grid_pointing_game_equals_the_definition() -> None:
    explained = explained_on(small_network(), small_request(), TargetGradient())
    flat = explained.attributions.clone()
    flat[2] = -flat[2].abs()
    explained = replace(explained, attributions=flat)
    got = GridPointingGame().measure(explained).score
    for row in range(2):
        signed = flat[row].sum(0).numpy().clip(0)
        inside = explained.truth[row].numpy() > 0.5
        assert got[row].item() == pytest.approx(signed[inside].sum() / signed.sum(), abs=1e-9)
    assert got[2].item() == pytest.approx((explained.truth[2] > 0.5).double().mean().item())
