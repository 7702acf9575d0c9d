import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import rankdata

from bench.functional import heatmaps
from bench.functional.heatmaps import pixels_by_rank
from bench.functional.ranking import average_ranks, rank_auc, share_in_top

single_maps = hnp.arrays(
    np.float32,
    st.tuples(st.integers(0, 3), st.integers(1, 5), st.integers(1, 5)),
    elements=st.one_of(st.sampled_from([0.0, -0.0, 1.0, -1.0, 1e-45, -1e-45]), st.floats(allow_nan=False, width=32)),
)
tied_maps = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)), elements=st.integers(-2, 2)
)


@given(tied_maps)
def test_average_ranks_are_scipys(maps: np.ndarray) -> None:
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    expected = np.stack([rankdata(row) - 1 for row in flat])
    np.testing.assert_allclose(average_ranks(torch.from_numpy(flat)).numpy(), expected)


@given(tied_maps, st.integers(0, 25))
def test_share_in_top_is_the_mean_over_random_orders_of_ties(maps: np.ndarray, count: int) -> None:
    count = min(count, maps[0].size)
    share = share_in_top(torch.from_numpy(maps), torch.full((len(maps),), count)).numpy()
    for own, got in zip(maps, share, strict=True):
        edge = np.sort(own, axis=None)[::-1][count - 1] if count else own.max() + 1
        left = count - (own > edge).sum()
        expected = np.where(own > edge, 1.0, np.where(own == edge, left / max((own == edge).sum(), 1), 0.0))
        np.testing.assert_allclose(got, expected)


@given(tied_maps, st.integers(0, 1000))
def test_rank_auc_counts_every_pair(maps: np.ndarray, seed: int) -> None:
    positive, negative = np.random.default_rng(seed).random((2, *maps.shape)) + 0.1
    got = rank_auc(torch.from_numpy(maps), torch.from_numpy(positive), torch.from_numpy(negative)).numpy()
    for row, own in enumerate(maps.reshape(len(maps), -1)):
        wins = (own[:, None] > own[None]) + 0.5 * (own[:, None] == own[None])
        pairs = positive[row].reshape(-1, 1) * negative[row].reshape(1, -1)
        np.testing.assert_allclose(got[row], (wins * pairs).sum() / pairs.sum())


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 60))
def test_ties_go_by_their_noise_and_by_their_place_where_that_is_tied_too(seed: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    maps, noise = rng.integers(0, levels, (3, 5, 6)).astype(float), rng.integers(0, 4, (3, 5, 6)).astype(float)
    got = pixels_by_rank(torch.from_numpy(maps), torch.from_numpy(noise))
    for row in range(3):
        expected = sorted(range(30), key=lambda at, row=row: (maps[row].flat[at], noise[row].flat[at], at))[::-1]
        assert got[row].tolist() == expected


@given(single_maps, st.sampled_from([1, 8, 2**16]))
def test_a_map_is_ordered_as_by_a_stable_sort(maps: np.ndarray, together: int) -> None:
    flat = maps.reshape(len(maps), maps[0].size if len(maps) else 4)
    expected = np.argsort(flat, axis=1, kind="stable")[:, ::-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heatmaps, "_SORTED_TOGETHER", together)
        assert np.array_equal(pixels_by_rank(torch.from_numpy(flat)[:, None]).numpy(), expected)
