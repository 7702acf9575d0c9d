import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.functional.patches import patch_norms, patches_to_pixels


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), patches=st.integers(1, 16))
def test_every_pixel_has_the_norm_of_its_patch(height, width, patches):
    maps = torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    norms = patch_norms(maps, patches)
    spread = patches_to_pixels(norms, maps, patches)
    tall, wide = max(height // patches, 1), max(width // patches, 1)
    assert norms.shape == (2, 3, -(-height // tall), -(-width // wide))
    for top in range(0, height, tall):
        for left in range(0, width, wide):
            window = slice(top, top + tall), slice(left, left + wide)
            norm = (maps[:, :, *window].numpy() ** 2).sum((2, 3), keepdims=True) ** 0.5
            expected = np.broadcast_to(norm, spread[:, :, *window].shape)
            np.testing.assert_allclose(spread[:, :, *window].numpy(), expected)


@pytest.mark.parametrize(("side", "patches", "expected"), [(224, 16, 16), (64, 16, 16), (60, 16, 20), (10, 16, 10)])
def test_a_remainder_makes_more_patches(side, patches, expected):
    assert patch_norms(torch.ones(1, 1, side, side), patches).shape[2:] == (expected, expected)
