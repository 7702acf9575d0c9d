import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from bench.functional.correlation import pearson, spearman
from bench.functional.map_similarity import similarity
from bench.functional.structural_similarity import ssim
from tests.support.maps import as_tensor, golden


@pytest.mark.parametrize("pair", ["pair0", "pair1", "pair2", "pair3"])
def test_equals_the_golden_numbers(pair: str) -> None:
    expected = golden("maps", f"{pair}_")
    first, second = as_tensor(expected["a"])[None], as_tensor(expected["b"])[None]
    for got, name in (
        (pearson(first, second), "pearson"),
        (spearman(first, second), "spearman"),
        (ssim(first, second), "ssim_skimage_gaussian_range1"),
        (ssim(first, second, window=7, sigma=None), "ssim_skimage_default_range1"),
        (ssim(first, second, sigma=None), "ssim_skimage_win11_range1"),
    ):
        np.testing.assert_allclose(got.numpy(), expected[name], rtol=0, atol=1e-12)


def test_ssim_of_a_batch_is_that_of_each_pair() -> None:
    first, second = np.random.default_rng(0).random((2, 3, 16, 21))
    got = ssim(torch.from_numpy(first), torch.from_numpy(second), window=7, sigma=None)
    expected = [structural_similarity(a, b, data_range=1) for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_ssim_of_small_maps_uses_a_window_that_fits() -> None:
    first, second = torch.rand(2, 2, 4, 9, dtype=torch.float64)
    torch.testing.assert_close(ssim(first, second), ssim(first, second, window=3))
    assert ssim(first[:, :1, :1], first[:, :1, :1]).tolist() == [1.0, 1.0]


def test_a_constant_map_correlates_with_nothing() -> None:
    constant = torch.full((1, 5, 7), 0.1)
    other = torch.rand(1, 5, 7)
    assert pearson(constant, other).item() == 0
    assert spearman(other, constant).item() == 0


def test_correlation_survives_extreme_scales() -> None:
    first, second = torch.rand(2, 1, 6, 6, dtype=torch.float64)
    plain = pearson(first, second)
    torch.testing.assert_close(pearson(first * 1e300, second * 1e-300), plain)


@pytest.mark.parametrize("kind", ["spearman", "ssim", "top_k", "relative_l2"])
def test_a_map_is_most_similar_to_itself(kind: str) -> None:
    maps = torch.randn(3, 9, 11, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(similarity(maps, maps, kind, 0.1), torch.ones(3, dtype=torch.float64))
    assert (similarity(maps, maps.flip(1), kind, 0.1) < 0.9).all()


def test_relative_l2_of_a_map_that_grew_from_zero() -> None:
    zero, one = torch.zeros(1, 2, 2), torch.ones(1, 2, 2)
    assert similarity(zero, zero, "relative_l2", 0.1).item() == 1
    assert similarity(zero, one, "relative_l2", 0.1).item() == 0
