from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from bench.api import Attribution, Explained, Network, Request
from bench.attribution.randomised_weights import layers_of, randomised
from bench.checks.fixtures import small_network, small_request
from bench.errors import UnsupportedError
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.sanity.completeness_gap import CompletenessGap
from bench.metrics.sanity.random_logit import RandomLogit
from bench.metrics.sanity.weight_randomisation import WeightRandomisation
from bench.scoring.measure import explained_by


@dataclass(frozen=True)
class Unmoved(Attribution):
    """The image, whatever the network is."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        return request.images


@dataclass(frozen=True)
class Linear(Attribution):
    """Gradient times image: complete where the network is linear without bias."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        images = request.images.requires_grad_()
        (gradients,) = torch.autograd.grad(network.logits_of(images, request.targets).sum(), images)
        return gradients * images.detach()


def explained(method: Attribution, network: Network | None = None) -> Explained:
    network, request = network or small_network(), small_request()
    return explained_by(method, network, request, network.logits(request.images).detach())


@pytest.mark.parametrize("metric", [WeightRandomisation(), WeightRandomisation("independent"), RandomLogit()], ids=str)
def test_a_map_that_ignores_the_network_scores_one_and_a_gradient_less(metric) -> None:
    torch.testing.assert_close(metric.measure(explained(Unmoved())).score, torch.ones(3, dtype=torch.float64))
    assert (metric.measure(explained(SimpleGradient())).score < 0.9).all()


@pytest.mark.parametrize("order", ["cascading", "independent"])
def test_weights_are_randomised_from_the_last_layer_down(order: str) -> None:
    of = explained(SimpleGradient())
    layers = layers_of(of.network.module)
    assert layers == ["0", "1", "4", "8"]
    got = WeightRandomisation(order, points=4).measure(of)
    for point in range(4):
        chosen = layers[::-1][: point + 1] if order == "cascading" else [layers[::-1][point]]
        maps = of.method.heatmaps(of.method.explain(randomised(of.network, chosen, of.rng), of.request))
        for row in range(3):
            expected = spearmanr(of.heatmaps[row].flatten(), maps[row].flatten()).statistic
            assert got.curve[row, point].item() == pytest.approx(expected, abs=1e-9)
    torch.testing.assert_close(got.score, got.curve.mean(1))


def test_randomising_changes_only_the_copy_and_only_the_chosen_layers() -> None:
    network = small_network()
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    copy = randomised(network, ["4"], small_request().rng)
    changed = {name for name, value in copy.module.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"4.weight", "4.bias"}
    assert all(torch.equal(value, before[name]) for name, value in network.module.state_dict().items())
    np.testing.assert_allclose(copy.module[4].weight.std().item(), before["4.weight"].std().item(), rtol=0.3)


def test_random_logit_asks_about_another_class() -> None:
    @dataclass(frozen=True)
    class Asked(Attribution):
        def attribute(self, network: Network, request: Request) -> Tensor:
            seen.append(request.targets)
            return request.images

    seen: list[Tensor] = []
    of = explained(Asked())
    RandomLogit().measure(of)
    assert (seen[-1] != of.targets).all()
    assert ((seen[-1] >= 0) & (seen[-1] < 5)).all()


def test_random_logit_equals_the_definition() -> None:
    of = explained(SimpleGradient())
    got = RandomLogit().measure(of).score
    for row in range(3):
        own = of.select([row])
        others = [*range(own.targets.item() + 1, 5), *range(own.targets.item())]
        other = others[int(own.rng.of("other class").uniform((), own.images).item() * 4)]
        image = own.images.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(own.network.logits(image)[0, other], image)
        expected = spearmanr(own.heatmaps.flatten(), gradient.abs().sum(1).flatten()).statistic
        assert got[row].item() == pytest.approx(expected, abs=1e-9)


def test_one_output_has_no_other_class() -> None:
    single = Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 1)).double())
    of = replace(explained(Unmoved()), clean=torch.zeros(3, 1), network=single)
    with pytest.raises(UnsupportedError, match="two outputs"):
        RandomLogit().measure(of)


def test_a_complete_method_leaves_no_gap() -> None:
    linear = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)).double())
    assert CompletenessGap().measure(explained(Linear(), linear)).score.max() < 1e-9


def test_completeness_gap_equals_the_definition() -> None:
    of = explained(SimpleGradient())
    got = CompletenessGap().measure(of).score
    for row in range(3):
        both = of.network.logits(torch.stack([of.images[row], torch.zeros_like(of.images[row])]))[:, of.targets[row]]
        total, change = of.attributions[row].sum().item(), (both[0] - both[1]).item()
        assert got[row].item() == pytest.approx(abs(total - change) / (abs(total) + abs(change)))
