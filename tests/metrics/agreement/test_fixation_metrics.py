from dataclasses import replace

import numpy as np
import pytest
import torch

from bench.metrics.agreement.auc_judd import AucJudd
from bench.metrics.agreement.cc import Cc
from bench.metrics.agreement.kl import Kl
from bench.metrics.agreement.nss import Nss
from bench.metrics.agreement.shuffled_auc import ShuffledAuc
from bench.metrics.agreement.sim import Sim
from tests.support.maps import as_tensor, explained_by_maps, golden, points

CASES = ["case0", "case1", "case2", "case3", "case4"]


def gaze_case(case: str, dtype: torch.dtype = torch.float64):
    """One golden map with its fixations, and its golden numbers."""
    numbers = golden("maps", f"{case}_")
    maps, truth = (as_tensor(numbers[name])[None].to(dtype) for name in ("saliency", "fixation_density"))
    own = points(numbers["fix_y"].tolist(), numbers["fix_x"].tolist())
    return explained_by_maps(maps, truth, [own]), numbers


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("metric", "name"),
    [
        (AucJudd(against="fixations"), "auc_exact_mann_whitney_half_ties"),
        (AucJudd("mit", against="fixations"), "auc_judd_own_mit_nojitter"),
        (Nss(), "nss_pysaliency_mean_ddof0_every_fixation"),
        (Nss("mit"), "nss_mit_ddof1_unique_pixels"),
        (Cc(), "cc_pysaliency"),
        (Sim(), "sim_pysaliency"),
        (Sim("mit"), "sim_mit_minmax_then_sum"),
        (Kl(), "kld_pysaliency_mit"),
    ],
    ids=str,
)
def test_equals_the_golden_number(case: str, metric, name: str) -> None:
    explained, numbers = gaze_case(case)
    np.testing.assert_allclose(metric.measure(explained).score.numpy(), numbers[name], rtol=0, atol=1e-9)


def test_images_without_fixations_fail_alone() -> None:
    maps, truth = torch.rand(3, 6, 6), torch.eye(6).expand(3, 6, 6)
    fixations = [points([1], [2]), torch.empty(0, 4), points([9], [2])]
    scored = AucJudd(against="fixations").measure(explained_by_maps(maps, truth, fixations))
    assert scored.status == ("ok", "no fixations", "no fixations")
    assert scored.score.isnan().tolist() == [False, True, True]


@pytest.mark.parametrize("metric", [AucJudd(against="fixations"), Cc(viewings="each")], ids=str)
def test_what_is_scored_against_fixations_needs_no_truth_map(metric) -> None:
    explained, _ = gaze_case("case0")
    expected = metric.measure(explained)
    alone = replace(explained, request=replace(explained.request, truth=None))
    assert expected.status == ("ok",)
    assert metric.measure(alone).status == ("ok",)
    assert torch.equal(metric.measure(alone).score, expected.score)
    assert metric.measure(replace(explained, fixations=None)).status == ("no fixations",)


def test_a_map_that_says_nothing() -> None:
    truth, zeros = torch.eye(6)[None], torch.zeros(1, 6, 6)
    nothing = explained_by_maps(zeros, truth, [points([1, 2], [2, 5])], pool=points([3], [3]))
    scores = {m.name: m.measure(nothing).score.item() for m in (Nss(), Cc(), Sim(), Kl(), ShuffledAuc())}
    expected = {"nss": 0, "cc": 0, "sim": 1 / 6, "kl": np.log(6), "shuffled_auc": 0.5}
    assert scores == pytest.approx(expected)


def test_the_truth_map_itself_is_perfect() -> None:
    explained, _ = gaze_case("case1")
    same = explained_by_maps(explained.truth, explained.truth)
    assert Cc().measure(same).score.item() == pytest.approx(1)
    assert Sim().measure(same).score.item() == pytest.approx(1)
    assert Kl().measure(same).score.item() == pytest.approx(0, abs=1e-12)


def test_shuffled_auc_counts_every_pair_of_own_pixel_and_pool_fixation() -> None:
    rng = np.random.default_rng(5)
    heat = rng.integers(0, 5, (6, 7)).astype(np.float64)
    own, pool = rng.integers(0, 6, (2, 8)), rng.integers(0, 6, (2, 30))
    explained = explained_by_maps(
        torch.from_numpy(heat)[None], None, [points(*own.tolist())], pool=points(*pool.tolist())
    )
    pairs = [heat[y, x] - heat[v, u] for y, x in set(zip(*own, strict=True)) for v, u in zip(*pool, strict=True)]
    expected = np.mean([(pair > 0) + 0.5 * (pair == 0) for pair in pairs])
    assert ShuffledAuc().measure(explained).score.item() == pytest.approx(expected)


def test_shuffled_auc_without_a_pool_is_a_status() -> None:
    explained = explained_by_maps(torch.rand(1, 6, 6), None, [points([1], [1])])
    assert ShuffledAuc().measure(explained).status == ("no fixation pool",)
