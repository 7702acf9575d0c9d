import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from bench.functional.imputation import linear_imputation
from tests.support.direct_imputation import solved


def holes(kind: str, share: float, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    heat = rng.standard_normal(shape)
    if kind == "smooth":
        heat = gaussian_filter(heat, 6)
    if kind == "disc":
        heat = -np.hypot(*(np.mgrid[: shape[0], : shape[1]] - np.array(shape)[:, None, None] / 2.3))
    return heat >= np.quantile(heat, 1 - share)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["random", "smooth", "disc"])
@pytest.mark.parametrize("shape", [(40, 40), (33, 50)])
def test_equals_the_direct_solution(kind: str, share: float, shape: tuple[int, int]) -> None:
    images = np.random.default_rng(1).standard_normal((3, 3, *shape))
    missing = np.stack([holes(kind, share, shape, seed) for seed in range(3)])
    expected = np.stack([solved(*pair) for pair in zip(images, missing, strict=True)])
    for dtype in (torch.float32, torch.float64):
        got = linear_imputation(torch.from_numpy(images).to(dtype), torch.from_numpy(missing))
        assert got.dtype == dtype
        np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-4)


@pytest.mark.long
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["random", "smooth", "disc"])
def test_equals_the_direct_solution_at_the_size_of_imagenet(kind: str, share: float) -> None:
    images = np.random.default_rng(1).standard_normal((1, 3, 224, 224))
    missing = holes(kind, share, (224, 224), 0)
    got = linear_imputation(torch.from_numpy(images).float(), torch.from_numpy(missing)[None])
    np.testing.assert_allclose(got[0].numpy(), solved(images[0], missing), rtol=0, atol=1e-4)


def test_known_pixels_stay_and_images_are_solved_alone() -> None:
    images = torch.randn(4, 3, 24, 31, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    kinds = ("random", "smooth", "disc", "random")
    missing = torch.from_numpy(np.stack([holes(kind, 0.6, (24, 31), 3) for kind in kinds]))
    together = linear_imputation(images, missing)
    assert torch.equal(
        together[~missing[:, None].expand(-1, 3, -1, -1)], images[~missing[:, None].expand(-1, 3, -1, -1)]
    )
    for row in range(4):
        alone = linear_imputation(images[row : row + 1], missing[row : row + 1])
        torch.testing.assert_close(together[row : row + 1], alone, rtol=0, atol=1e-12)


def test_what_was_solved_before_or_beside_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.randn(5, 3, 33, 50, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    images[2, 1, 4, 4] = torch.nan
    kinds = ("disc", "random", "smooth", "random", "smooth")
    missing = torch.from_numpy(np.stack([holes(kind, 0.7, (33, 50), seed) for seed, kind in enumerate(kinds)]))
    missing[2, 4, 4] = False
    alone = [linear_imputation(*pair)[0] for pair in zip(images[:, None], missing[:, None], strict=True)]
    monkeypatch.setattr("bench.functional.imputation._CPU_VALUES", 2 * images[0].numel())
    for row, own in enumerate(linear_imputation(images, missing)):
        torch.testing.assert_close(own, alone[row], rtol=0, atol=1e-12, equal_nan=True)
        assert own.isnan().any() == (row == 2)


def test_gradients_are_neither_needed_nor_in_the_way() -> None:
    images, missing = torch.rand(2, 3, 12, 12), torch.rand(2, 12, 12) > 0.5
    plain = linear_imputation(images, missing)
    with torch.inference_mode():
        torch.testing.assert_close(linear_imputation(images.clone(), missing), plain)
    watched = linear_imputation(images.clone().requires_grad_(), missing)
    torch.testing.assert_close(watched, plain)
    assert not watched.requires_grad
    assert not watched.is_inference()


def test_nothing_missing_everything_missing_and_tiny_images() -> None:
    images = torch.rand(1, 1, 6, 6, dtype=torch.float64)
    none, everything = torch.zeros(1, 6, 6, dtype=torch.bool), torch.ones(1, 6, 6, dtype=torch.bool)
    assert torch.equal(linear_imputation(images, none), images)
    assert not linear_imputation(images, everything).any()
    pair = torch.tensor([[[[1.0, 5.0]]]])
    assert linear_imputation(pair, torch.tensor([[[True, False]]])).flatten().tolist() == pytest.approx([5, 5])
