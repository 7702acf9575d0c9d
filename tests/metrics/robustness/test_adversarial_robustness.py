from dataclasses import replace

import pytest
import torch
from torch import nn

from bench.handed import Explained, Network, Preprocess
from bench.map_attacks import attacked, off_centre, off_the_top, smoothed
from bench.measure import explained_by
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.robustness.adversarial_robustness import AdversarialRobustness
from bench.similarity import top_set
from bench.tiny import tiny_network, tiny_request

STD = (0.5, 0.25, 1.0)


@pytest.fixture
def explained() -> Explained:
    network, request = replace(tiny_network(), preprocess=Preprocess(std=STD)), tiny_request()
    clean = network.logits(request.images).detach()
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def test_the_attack_stays_in_its_ball_and_keeps_every_prediction(explained: Explained) -> None:
    images, sloped = attacked(explained, off_centre, radius=0.03, step=0.01, steps=6)
    pixels = (images - explained.images) * torch.tensor(STD, dtype=torch.float64)[:, None, None]
    assert sloped.all()
    assert 0.02 < pixels.abs().max().item() <= 0.03 + 1e-12
    assert torch.equal(explained.network.logits(images).argmax(1), explained.clean.argmax(1))


@pytest.mark.parametrize("attack", ["top_k", "mass_centre"])
def test_an_attack_moves_the_map_further_than_noise_of_its_size(explained: Explained, attack: str) -> None:
    metric = AdversarialRobustness(attack, "spearman", radius=0.05, step=0.005, steps=25)
    left = metric.measure(explained).score
    noise = 0.05 * torch.sign(explained.rng.normal((3, 16, 16), explained.images))
    scale = torch.tensor(STD, dtype=torch.float64)[:, None, None]
    after = explained.explain_again(explained.images + noise / scale)
    from bench.correlation import spearman

    assert left.mean() < spearman(explained.heatmaps, after).mean()


def test_each_objective_grows_with_more_steps(explained: Explained) -> None:
    network = Network(smoothed(explained.network.module))
    for objective in (off_centre, off_the_top(top_set(explained.heatmaps, 0.1))):
        reached = []
        for steps in (1, 5, 20):
            images, _ = attacked(explained, objective, radius=0.1, step=0.01, steps=steps)
            reached.append(objective(_maps(network, images, explained), _maps(network, explained.images, explained)))
        assert (reached[0] <= reached[1]).all()
        assert (reached[1] < reached[2]).all()


def _maps(network: Network, images: torch.Tensor, explained: Explained) -> torch.Tensor:
    watched = images.clone().requires_grad_()
    (gradients,) = torch.autograd.grad(network.logits_of(watched, explained.targets).sum(), watched)
    return gradients.abs().sum(1) / gradients.abs().sum((1, 2, 3))[:, None, None]


def test_a_network_without_curvature_cannot_be_attacked(explained: Explained) -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 5)).double()
    scored = AdversarialRobustness(steps=2).measure(replace(explained, network=Network(linear)))
    assert scored.status == ("no gradient to attack",) * 3


def test_smoothing_leaves_the_network_and_nearly_its_outputs_alone(explained: Explained) -> None:
    before = [type(part) for part in explained.network.module.modules()]
    smooth = smoothed(explained.network.module, sharpness=1e4)
    assert [type(part) for part in explained.network.module.modules()] == before
    torch.testing.assert_close(smooth(explained.images), explained.network.logits(explained.images), atol=1e-3, rtol=0)
    six = smoothed(nn.Sequential(nn.ReLU6()), sharpness=1e4)
    torch.testing.assert_close(six(torch.tensor([-1.0, 2.0, 9.0])), torch.tensor([0.0, 2.0, 6.0]))
