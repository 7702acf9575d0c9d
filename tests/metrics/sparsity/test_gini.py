import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bench.metrics.sparsity.gini import Gini
from tests.support.maps import as_tensor, explained_by_maps, golden

CASES = ["ramp", "uniform", "one_hot", "two_level", "normal_signed", "heavy_tail", "tiny_values", "map"]


@pytest.mark.parametrize("case", CASES)
def test_equals_the_golden_number(case: str) -> None:
    values = as_tensor(golden("maps", f"gini_{case}_")["values"])
    expected = golden("maps", f"gini_{case}_")["gini_hurley_rickard"]
    got = Gini().measure(explained_by_maps(values.reshape(1, 1, -1))).score
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-12)


def test_nothing_is_as_spread_as_a_constant() -> None:
    assert Gini().measure(explained_by_maps(torch.zeros(1, 4, 4))).score.item() == 0


def test_a_uniformly_random_map_scores_chance() -> None:
    maps = torch.rand(1, 200, 200, generator=torch.Generator().manual_seed(0))
    assert Gini().measure(explained_by_maps(maps)).score.item() == pytest.approx(Gini.chance, abs=0.005)


@given(hnp.arrays(np.float64, (2, 3, 4), elements=st.floats(-1e6, 1e6)))
def test_equals_the_mean_difference_of_all_pairs(maps: np.ndarray) -> None:
    got = Gini().measure(explained_by_maps(torch.from_numpy(maps))).score.numpy()
    for own, score in zip(np.abs(maps).reshape(2, -1), got, strict=True):
        pairs = np.abs(own[:, None] - own[None]).mean()
        expected = pairs / (2 * own.mean()) if own.max() > 0 else 0.0
        assert score == pytest.approx(expected, abs=1e-9)
