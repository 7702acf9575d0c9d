import numpy as np
import pytest
import torch
from torch import Tensor

from bench.api import Attribution, Explained, ImageRandom, Metric, Network, Request
from bench.metrics.faithfulness.deletion import Deletion
from bench.metrics.faithfulness.insertion import Insertion
from bench.scoring.measure import measure
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network


class Given(Attribution):
    """Maps that a test supplies."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        raise AssertionError("these maps are given, not computed")


def explained(chunk: int, maps: Tensor, rows: list[int]) -> Explained:
    arrays = golden("rise_causal_metric")
    network = Network(relu_network(arrays), chunk=chunk)
    images = as_tensor(arrays["img"]).double()
    targets = as_tensor(arrays["cls"])
    request = Request(images, targets, ImageRandom(0, "run", tuple(map(str, range(len(images))))))
    clean = network.logits(images).detach()
    return Explained(network, request, Given(), maps[:, None], maps, clean, request.rng).select(rows)


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize("maps_name", ["exp", "tie_exp"])
@pytest.mark.parametrize(("metric", "curve_name"), [(Deletion(), "del"), (Insertion(), "ins")])
def test_equals_the_original(chunk: int, maps_name: str, metric: Metric, curve_name: str) -> None:
    arrays = golden("rise_causal_metric")
    key = f"{curve_name}_single" if maps_name == "exp" else f"tie_{curve_name}_stable"
    auc = f"{curve_name}_auc" if maps_name == "exp" else f"tie_{curve_name}_stable_auc"
    maps = as_tensor(arrays[maps_name])
    (scored,) = measure([(metric, explained(chunk, maps, [0, 1, 2, 3]))])
    assert scored.curve is not None
    np.testing.assert_allclose(scored.curve.numpy().T, arrays[key], rtol=0, atol=1e-7)
    np.testing.assert_allclose(scored.score.numpy(), arrays[auc], rtol=0, atol=1e-7)


@pytest.mark.parametrize("rows", [[0], [2, 0], [3, 1, 0, 2]])
def test_score_does_not_depend_on_company_or_order(rows: list[int]) -> None:
    maps = as_tensor(golden("rise_causal_metric")["exp"])
    alone = explained(5, maps, rows)
    everyone = explained(5, maps, [0, 1, 2, 3])
    together = measure([(Insertion(), alone), (Deletion(), everyone), (Insertion(), everyone)])
    torch.testing.assert_close(together[0].score, together[2].score[rows], rtol=0, atol=1e-12)


def test_a_step_that_does_not_divide_the_pixels_ends_with_everything_replaced() -> None:
    maps = as_tensor(golden("rise_causal_metric")["exp"])
    (scored,) = measure([(Deletion(step=1000), explained(3, maps, [0]))])
    assert scored.curve is not None
    assert scored.curve.shape == (1, 6)
    blank = explained(3, maps, [0])
    zero = blank.network.probabilities_of(torch.zeros_like(blank.images), blank.targets)
    torch.testing.assert_close(scored.curve[:, -1], zero.detach())


def test_a_map_that_is_not_finite_fails_alone() -> None:
    maps = as_tensor(golden("rise_causal_metric")["exp"]).clone()
    whole = measure([(Deletion(), explained(7, maps, [0, 1, 2, 3]))])[0]
    maps[1, 0, 0] = torch.nan
    broken = measure([(Deletion(), explained(7, maps, [0, 1, 2, 3]))])[0]
    assert broken.status == ("ok", "non-finite heatmap", "ok", "ok")
    assert broken.score[1].isnan()
    torch.testing.assert_close(broken.score[[0, 2, 3]], whole.score[[0, 2, 3]], rtol=0, atol=1e-12)
