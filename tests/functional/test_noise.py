import numpy as np
import pytest
import torch

from bench.functional.noise import normal_noise, uniform_noise
from tests.support.maps import as_tensor, golden


@pytest.mark.parametrize("image", ["pixel_0_255", "normalised"])
def test_scale_is_the_golden_one(image: str) -> None:
    expected = golden("noise_utils", f"{image}_")
    images = as_tensor(expected["image"])[None]
    for level in ("0.15", "0.3"):
        got = normal_noise(images, torch.ones_like(images), float(level))
        np.testing.assert_allclose(got.numpy(), expected[f"r_normal_stddev_{level}"], rtol=1e-6)
    for draw, end in ((0.0, -1), (1.0, 1)):
        got = uniform_noise(images, torch.full_like(images, draw))
        np.testing.assert_allclose(got.numpy(), end * expected["r_uniform_percentile10"], rtol=1e-6)


def test_percentile_is_the_nearest_rank() -> None:
    table = golden("noise_utils", "index_")
    for size, index in zip(table["n"], table["tfp"], strict=True):
        values = torch.arange(int(size), dtype=torch.float64)[None]
        assert uniform_noise(values, torch.ones_like(values))[0, 0].item() == index


def test_each_image_has_its_own_scale() -> None:
    images = torch.rand(3, 3, 4, 4, dtype=torch.float64) * torch.tensor([1.0, 5.0, 0.0])[:, None, None, None]
    together = normal_noise(images, torch.ones_like(images), 0.15)
    for row in range(3):
        alone = normal_noise(images[row : row + 1], torch.ones_like(images[:1]), 0.15)
        torch.testing.assert_close(together[row : row + 1], alone)
