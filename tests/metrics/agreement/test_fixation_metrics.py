import numpy as np
import pytest
import torch
from helpers import as_tensor, explained_by_maps, golden, points

from bench.metrics.agreement.auc_judd import AucJudd

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
