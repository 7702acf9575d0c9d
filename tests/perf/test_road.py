"""ROAD's imputation of 100 images of 224 x 224, half of their pixels removed, against a sparse direct solve of each.

Against scipy's `spsolve` alone, the system ready made; and against a library's function, which also writes it down.
"""

import time

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from scipy.ndimage import gaussian_filter
from scipy.sparse.linalg import spsolve

from bench.functional.imputation import linear_imputation
from tests.support.direct_imputation import system

IMAGES, DIRECT = 100, 4
AT_LEAST, AT_LEAST_THAN_LIBRARY = 5.0, 20.0


def removed(kind: str, count: int) -> np.ndarray:
    """Half of the pixels: the highest of a map as rough as a gradient, or as smooth as a class activation map."""
    rng = np.random.default_rng(0)
    maps = rng.standard_normal((count, 224, 224))
    if kind == "smooth":
        maps = np.stack([gaussian_filter(own, 12) for own in maps])
    return maps >= np.median(maps, axis=(1, 2), keepdims=True)


@pytest.mark.parametrize("kind", ["rough", "smooth"])
def test_many_images_at_once_beat_a_direct_solve_of_each(kind: str, benchmark: BenchmarkFixture) -> None:
    images = np.random.default_rng(1).standard_normal((IMAGES, 3, 224, 224), dtype=np.float32)
    missing = removed(kind, IMAGES)
    systems = [system(*pair) for pair in zip(images[:DIRECT].astype(float), missing, strict=False)]
    began = time.perf_counter()
    expected = [spsolve(*own) for own in systems]
    direct = (time.perf_counter() - began) / DIRECT
    pair = torch.from_numpy(images), torch.from_numpy(missing)
    got = benchmark.pedantic(linear_imputation, pair, rounds=3, warmup_rounds=1)
    for own, holes, values in zip(got.numpy(), missing, expected, strict=False):
        np.testing.assert_allclose(own[:, holes], values.T, rtol=0, atol=1e-4)
    ours = benchmark.stats.stats.min / IMAGES
    benchmark.extra_info |= {"direct_ms": 1e3 * direct, "ours_ms": 1e3 * ours, "times_faster": direct / ours}
    assert direct / ours >= AT_LEAST


def test_many_images_at_once_beat_a_library_that_does_one_after_another(benchmark: BenchmarkFixture) -> None:
    library = pytest.importorskip("quantus.functions.perturb_func")
    images = np.random.default_rng(1).standard_normal((IMAGES, 3, 224, 224), dtype=np.float32)
    missing = removed("smooth", IMAGES)
    began = time.perf_counter()
    expected = library.noisy_linear_imputation(images[0].astype(float), np.flatnonzero(missing[0]), noise=0.0)
    theirs = time.perf_counter() - began
    pair = torch.from_numpy(images), torch.from_numpy(missing)
    got = benchmark.pedantic(linear_imputation, pair, rounds=3, warmup_rounds=1)
    np.testing.assert_allclose(got[0].numpy(), expected, rtol=0, atol=1e-4)
    ours = benchmark.stats.stats.min / IMAGES
    benchmark.extra_info |= {"theirs_ms": 1e3 * theirs, "ours_ms": 1e3 * ours, "times_faster": theirs / ours}
    assert theirs / ours >= AT_LEAST_THAN_LIBRARY
