"""Sample heatmaps as pictures: signed maps keep their zero, rank maps say which pixel goes when."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from bench.functional.heatmaps import ranks
from bench.runner.sample_heatmaps import png, removal_order, signed


def _levels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content))).astype(float)


def test_a_signed_map_keeps_its_zero_in_the_middle() -> None:
    heatmap = torch.tensor([[[-3.0, 0.0, 1.5, 3.0]]])
    shown, zero = signed(heatmap)
    levels = _levels(png(shown))[0]
    assert zero == 127.5
    assert abs(levels[1] - zero) <= 0.5
    assert levels[0] < zero < levels[2] < levels[3]


@pytest.mark.parametrize("side", [8, 16, 64])
def test_a_share_of_the_rank_map_is_as_many_pixels_and_the_highest(side: int) -> None:
    heatmap = torch.rand(1, side, side, generator=torch.Generator().manual_seed(0))
    levels = _levels(png(removal_order(heatmap)))
    for share in (0.0, 0.25, 0.5, 1.0):
        gone = levels < 256 * share
        assert gone.sum() == pytest.approx(share * side * side, abs=side * side / 256 + 1)
        if 0 < share < 1:
            assert heatmap[0].numpy()[gone].min() >= heatmap[0].numpy()[~gone].max() - 0.02
    order = ranks(heatmap)[0].numpy()
    assert levels.ravel()[order.argmin()] == 0
