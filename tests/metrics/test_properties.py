"""What holds of every metric of a kind, whatever the maps: monotone rescaling, single precision, oracle and chance."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bench import checks
from bench.api import Explained, ImageMetric, ImageRandom, Network, Preprocess, Request
from bench.api.registry import find
from bench.data.batches import load
from bench.datasets.planted import Planted
from bench.engine import clean_logits
from bench.scoring.measure import explained_by, measure
from bench.suites.read import SHIPPED
from bench.training.architectures import build
from bench.training.weight_files import load_weights

METRICS = {name: plugin for name, plugin in find("metrics").items() if issubclass(plugin, ImageMetric)}
# What these say depends on the order of the pixels alone.
RANKING = (
    *("deletion", "insertion", "morf", "lerf", "srg", "monotonicity", "road", "sic", "aic"),
    *("pointing_game", "relevance_rank", "iou", "average_precision", "auc_judd", "shuffled_auc"),
)
RESCALED = {
    "shifted and stretched": lambda maps: 3.7 * maps - 500,
    "cubed": lambda maps: (maps - 100) ** 3,
    "exponential": lambda maps: (maps / 40).exp(),
    "squeezed": lambda maps: (maps - 128).div(64).tanh(),
}
AGREEMENT = [name for name, plugin in METRICS.items() if plugin.family == "agreement"]
# Greedy searches and attacks make something else of a rounding, and these count time and memory.
AMPLIFYING = {"adversarial_robustness", "compressed_size", *(n for n, m in METRICS.items() if m.machine_bound)}


def explained(maps: Tensor | None = None, dtype: torch.dtype = torch.float64) -> Explained:
    network, request = checks.small_network(), checks.small_request()
    network = replace(network, module=network.module.to(dtype))
    request = replace(
        request,
        images=request.images.to(dtype),
        truth=request.truth.to(dtype),
        references=request.references.to(dtype),
    )
    method = find("attributions")["simple_gradient"]()
    own = explained_by(method, network, request, network.logits(request.images).detach())
    fixations = tuple(torch.tensor([[4.0, 5.0, 200.0, 1.0], [7.5, 6.2, 150.0, 2.0]]) for _ in range(3))
    own = replace(own, fixations=fixations, fixation_pool=torch.tensor([[1.0, 2.0, 100.0, 1.0]]))
    return own if maps is None else replace(own, heatmaps=maps, attributions=maps[:, None].expand(-1, 3, -1, -1))


def score(name: str, of: Explained, **chosen: object) -> Tensor:
    (scored,) = measure([(METRICS[name](**chosen), of)])
    return scored.score


@settings(max_examples=4)
@given(seed=st.integers(0, 2**32 - 1), ties=st.booleans())
@pytest.mark.parametrize("how", RESCALED)
@pytest.mark.parametrize("name", RANKING)
def test_monotone_rescaling_changes_no_ranking_metric(name: str, how: str, seed: int, ties: bool) -> None:
    drawn = torch.from_numpy(np.random.default_rng(seed).permuted(np.tile(np.arange(256.0), (3, 1)), axis=1))
    maps = (drawn // 16 * 16 if ties else drawn).reshape(3, 16, 16)
    chosen = {"least": 0.0} if name in {"sic", "aic"} else {}
    before, after = (score(name, explained(own), **chosen) for own in (maps, RESCALED[how](maps)))
    torch.testing.assert_close(before, after, rtol=0, atol=1e-12, equal_nan=True)


@pytest.mark.parametrize("name", sorted(set(METRICS) - AMPLIFYING))
def test_single_precision_gives_nearly_the_same(name: str) -> None:
    single, double = (score(name, explained(dtype=dtype)) for dtype in (torch.float32, torch.float64))
    torch.testing.assert_close(single.double(), double.double(), rtol=2e-3, atol=2e-3, equal_nan=True)


@settings(max_examples=5)
@given(seed=st.integers(0, 2**32 - 1))
@pytest.mark.parametrize("name", AGREEMENT)
def test_the_truth_beats_chance_in_every_metric_of_agreement(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, noise = torch.zeros(8, 16, 16, dtype=torch.float64), torch.from_numpy(rng.random((8, 16, 16)))
    points = []
    for row in range(8):
        top, left = rng.integers(0, 9, 2)
        truth[row, top : top + 6, left : left + 6] = 1
        inside = rng.uniform(0, 6, (5, 2)) + np.array([left, top])
        points.append(torch.tensor(np.column_stack([inside, np.full(5, 200.0), [1, 1, 2, 2, 3]])))
    pool = torch.tensor(np.column_stack([rng.uniform(0, 16, (60, 2)), np.full((60, 2), 1.0)]))
    request = checks.small_request(8)
    base = explained_by(
        find("attributions")["simple_gradient"](), checks.small_network(), request, torch.zeros(8, 5).double()
    )
    base = replace(base, request=replace(request, truth=truth), fixations=tuple(points), fixation_pool=pool)
    given = (replace(base, heatmaps=maps, attributions=maps[:, None]) for maps in (truth, noise))
    oracle, chance = (score(name, own).mean() for own in given)
    sign = 1 if METRICS[name].direction == "higher" else -1
    assert sign * oracle > sign * chance


@pytest.fixture(scope="module")
def planted() -> tuple[Network, Request]:
    """A trained network of the package and images of the data set that it has learnt."""
    module = build("small_resnet", 8)
    load_weights(module, SHIPPED.parent / "trained" / "small_resnet-standard.safetensors")
    network = Network(module.eval(), preprocess=Preprocess((64, 64), None, (0.5,) * 3, (0.25,) * 3))
    batch = load(Planted(), "test", list(range(24)), network, torch.device("cpu"))
    return network, Request(batch.images, batch.outputs, ImageRandom(0, "run", batch.ids), batch.truth)


@pytest.mark.long
@pytest.mark.parametrize("name", ["deletion", "insertion", "morf", "lerf", "road", "irof"])
def test_the_truth_beats_chance_where_a_network_looks_at_it(name: str, planted: tuple[Network, Request]) -> None:
    network, request = planted
    clean = clean_logits(network, request.images)
    oracle, chance = (
        score(name, explained_by(find("attributions")[method](), network, request, clean)).mean()
        for method in ("oracle", "random_map")
    )
    sign = 1 if METRICS[name].direction == "higher" else -1
    assert sign * oracle > sign * chance
