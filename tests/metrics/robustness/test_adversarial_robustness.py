from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from bench.api import Explained, Network, Preprocess
from bench.checks.fixtures import small_network, small_request
from bench.functional.map_similarity import top_set
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.metrics.robustness.adversarial_robustness import AdversarialRobustness
from bench.scoring.map_attacks import attacked, off_centre, off_the_top, smoothed
from bench.scoring.measure import explained_by

STD = (0.5, 0.25, 1.0)


@pytest.fixture
def explained() -> Explained:
    network, request = replace(small_network(), preprocess=Preprocess(std=STD)), small_request()
    clean = network.logits(request.images).detach()
    return explained_by(SimpleGradient(), network, replace(request, targets=clean.argmax(1)), clean)


def test_the_attack_stays_in_its_ball_and_keeps_every_prediction(explained: Explained) -> None:
    images, sloped = attacked(explained, off_centre, radius=0.03, step=0.01, steps=6)
    pixels = (images - explained.images) * torch.tensor(STD, dtype=torch.float64)[:, None, None]
    assert sloped.all()
    assert 0.02 < pixels.abs().max().item() <= 0.03 + 1e-12
    assert torch.equal(explained.network.logits(images).argmax(1), explained.clean.argmax(1))


def gradient_map(layers: list[nn.Module], image: torch.Tensor, target: int) -> torch.Tensor:
    """Sums over channels of the absolute gradient of one image's target logit."""
    values = image[None]
    for layer in layers:
        values = layer(values)
    (gradient,) = torch.autograd.grad(values[0, target], image, create_graph=True)
    return gradient.abs().sum(0)


def slow_attack(of: Explained, row: int, metric: AdversarialRobustness) -> np.ndarray:
    """One image, step by step, as Ghorbani et al. describe the attack."""
    layers = [nn.Softplus(20) if isinstance(layer, nn.ReLU) else layer for layer in of.network.module]
    image, target, clean = of.images[row], int(of.targets[row]), int(of.clean[row].argmax())
    std = torch.tensor(STD, dtype=torch.float64)[:, None, None]
    top = np.argsort(of.heatmaps[row].numpy(), axis=None)[-round(metric.top * 256) :]
    rows, columns = (torch.from_numpy(places.ravel()) / 15 for places in np.mgrid[:16, :16])

    def centre(shares: torch.Tensor) -> torch.Tensor:
        return torch.stack([(shares * rows).sum(), (shares * columns).sum()])

    def height(version: torch.Tensor) -> torch.Tensor:
        own = gradient_map(layers, version, target).flatten()
        shares = own / own.sum()
        if metric.attack == "top_k":
            return -shares[torch.from_numpy(top.copy())].sum()
        before = gradient_map(layers, image.clone().requires_grad_(), target).flatten()
        return ((centre(shares) - centre(before / before.sum()).detach()) ** 2).sum()

    pixels = image * std  # the mean is zero
    low = torch.maximum(pixels - metric.radius, pixels.clamp_max(0))
    high = torch.minimum(pixels + metric.radius, pixels.clamp_min(1))
    towards = of.select([row]).rng.of("attack").uniform((3, 16, 16), of.images)[0] * 2 - 1
    best, highest = image, -np.inf
    for _ in range(metric.steps):
        pixels = torch.minimum(torch.maximum(pixels + metric.step * towards.sign(), low), high)
        version = (pixels / std).requires_grad_()
        reached = height(version)
        (towards,) = torch.autograd.grad(reached, version)
        if int(of.network.logits(version.detach()[None]).argmax()) == clean and reached.item() > highest:
            best, highest = version.detach(), reached.item()
    return gradient_map(list(of.network.module), best.clone().requires_grad_(), target).detach().numpy()


@pytest.mark.parametrize("attack", ["top_k", "mass_centre"])
def test_equals_the_definition(explained: Explained, attack: str) -> None:
    metric = AdversarialRobustness(attack, radius=0.06, step=0.01, steps=12)
    got = metric.measure(explained).score
    for row in range(3):
        after = slow_attack(explained, row, metric)
        tops = [set(np.argsort(maps, axis=None)[-26:]) for maps in (explained.heatmaps[row].numpy(), after)]
        assert got[row].item() == pytest.approx(len(tops[0] & tops[1]) / 26, abs=1e-12)
    assert got.max() < 1


@pytest.mark.parametrize("attack", ["top_k", "mass_centre"])
def test_an_attack_moves_the_map_further_than_noise_of_its_size(explained: Explained, attack: str) -> None:
    metric = AdversarialRobustness(attack, "spearman", radius=0.05, step=0.005, steps=25)
    left = metric.measure(explained).score
    noise = 0.05 * torch.sign(explained.rng.normal((3, 16, 16), explained.images))
    scale = torch.tensor(STD, dtype=torch.float64)[:, None, None]
    after = explained.explain_again(explained.images + noise / scale)
    from bench.functional.correlation import spearman

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
