import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.api import Metric
from bench.metrics.sparsity.compressed_size import CompressedSize
from bench.metrics.sparsity.effective_complexity import EffectiveComplexity
from bench.metrics.sparsity.entropy import Entropy
from bench.metrics.sparsity.gini import Gini
from bench.metrics.sparsity.group_sparsity import GroupSparsity
from bench.metrics.sparsity.hoyer import Hoyer
from bench.metrics.sparsity.total_variation import TotalVariation
from tests.support.maps import explained_by_maps


def scored(metric: Metric, heat: np.ndarray) -> float:
    return metric.measure(explained_by_maps(torch.from_numpy(heat)[None])).score.item()


def slow_entropy(heat: np.ndarray) -> float:
    shares = np.abs(heat).ravel() / np.abs(heat).sum()
    return -sum(p * np.log(p) for p in shares if p > 0) / np.log(heat.size)


def slow_hoyer(heat: np.ndarray) -> float:
    ratio = np.abs(heat).sum() / np.sqrt((heat**2).sum())
    return (np.sqrt(heat.size) - ratio) / (np.sqrt(heat.size) - 1)


def slow_effective_complexity(heat: np.ndarray) -> float:
    held, total = 0.0, np.abs(heat).sum()
    for count, value in enumerate(sorted(np.abs(heat).ravel(), reverse=True), start=1):
        held += value
        if held >= (0.9 - 1e-9) * total:
            return count / heat.size
    raise AssertionError("the whole map holds its whole mass")


def slow_total_variation(heat: np.ndarray) -> float:
    scaled, pairs = (heat - heat.min()) / max(np.ptp(heat), 1e-300), []
    for y in range(heat.shape[0]):
        for x in range(heat.shape[1]):
            pairs += [abs(scaled[y, x] - scaled[y - 1, x])] if y else []
            pairs += [abs(scaled[y, x] - scaled[y, x - 1])] if x else []
    return float(np.mean(pairs))


SLOW = [
    (Entropy(), slow_entropy),
    (Hoyer(), slow_hoyer),
    (EffectiveComplexity(), slow_effective_complexity),
    (TotalVariation(), slow_total_variation),
]


@pytest.mark.parametrize(("metric", "slow"), SLOW, ids=lambda part: getattr(part, "name", ""))
@given(heat=hnp.arrays(np.float64, (4, 5), elements=st.floats(-100, 100).filter(lambda v: v == 0 or abs(v) > 1e-6)))
def test_equals_the_definition(metric: Metric, slow, heat: np.ndarray) -> None:
    if heat.any():
        assert scored(metric, heat) == pytest.approx(slow(heat), abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "constant"),
    [
        (Entropy(), 1),
        (Hoyer(), 0),
        (EffectiveComplexity(), 58 / 64),
        (TotalVariation(), 0),
        (GroupSparsity(), 0),
        (Gini(), 0),
    ],
    ids=lambda part: getattr(part, "label", ""),
)
def test_a_map_of_zeros_is_a_constant_map(metric: Metric, constant: float) -> None:
    for value in (0.0, 0.1, -3.0):
        assert scored(metric, np.full((8, 8), value)) == pytest.approx(constant)


@pytest.mark.parametrize("metric", [Hoyer(), TotalVariation()], ids=lambda metric: metric.label)
def test_a_uniformly_random_map_scores_chance(metric: Metric) -> None:
    assert scored(metric, np.random.default_rng(0).random((200, 200))) == pytest.approx(metric.chance, abs=0.01)


def test_one_pixel_is_as_sparse_as_can_be() -> None:
    heat = np.zeros((8, 8))
    heat[3, 4] = 2
    assert scored(Entropy(), heat) == 0
    assert scored(Hoyer(), heat) == pytest.approx(1)
    assert scored(EffectiveComplexity(), heat) == 1 / 64


@pytest.mark.parametrize("shape", [(2, 3, 32, 32), (2, 1, 20, 33)])
def test_group_sparsity_is_the_gini_of_patch_norms(shape: tuple[int, ...]) -> None:
    attributions = np.random.default_rng(1).standard_normal(shape)
    side = [max(length // 16, 1) for length in shape[2:]]
    explained = explained_by_maps(torch.zeros(shape[0], *shape[2:]))
    got = GroupSparsity().measure(replace(explained, attributions=torch.from_numpy(attributions))).score
    for own, score in zip(attributions, got, strict=True):
        norms = [
            np.linalg.norm(channel[y * side[0] : (y + 1) * side[0], x * side[1] : (x + 1) * side[1]])
            for channel in own
            for y in range(-(-shape[2] // side[0]))
            for x in range(-(-shape[3] // side[1]))
        ]
        pairs = np.abs(np.subtract.outer(norms, norms)).mean()
        assert score.item() == pytest.approx(pairs / (2 * np.mean(norms)))


def test_compressed_size_is_that_of_the_differences_along_each_row() -> None:
    y, x = np.mgrid[:40, :64]
    heat = np.exp(-((y - 20.0) ** 2 + (x - 30.0) ** 2) / 200)
    scaled = (heat - heat.min()) / np.ptp(heat)
    coded = bytearray()
    for row in (scaled * 255).round().astype(int):
        coded += bytes((value - left) % 256 for left, value in zip([0, *row], row, strict=False))
    assert scored(CompressedSize(), heat) == len(zlib.compress(bytes(coded), 9)) * 8 / heat.size


def test_the_more_there_is_to_see_the_longer_the_code() -> None:
    rng = np.random.default_rng(0)
    flat, square, noise = np.full((64, 64), 0.2), np.zeros((64, 64)), rng.random((64, 64))
    square[10:30, 20:40] = 1
    sizes = [scored(CompressedSize(), heat) for heat in (flat, square, noise)]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.1 < 7 < sizes[2]
