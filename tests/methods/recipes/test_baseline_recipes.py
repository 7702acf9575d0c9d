"""Madry, TRADES, noise and label smoothing, each against its formula written out."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Network, Preprocess
from bench.methods.recipes.input_noise import InputNoise
from bench.methods.recipes.label_smoothing import LabelSmoothing
from bench.methods.recipes.madry import Madry
from bench.methods.recipes.masked import Masked
from bench.methods.recipes.trades import Trades

STD = torch.tensor([0.2, 0.25, 0.3], dtype=torch.float64)[:, None, None]
MEAN = 0.5


@pytest.fixture
def case(network, request_of):
    request = request_of(3)
    pixels = request.images.sigmoid()
    preprocess = Preprocess(size=(12, 10), mean=(MEAN,) * 3, std=tuple(STD.flatten().tolist()))
    return replace(network, preprocess=preprocess), (pixels - MEAN) / STD, request.targets, pixels


def ascend(objective, pixels, start, epsilon, step, steps):
    moved = (pixels + start).clamp(0, 1)
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        (gradients,) = torch.autograd.grad(objective((moved - MEAN) / STD), moved)
        moved = moved + step * gradients.sign()
        moved = torch.minimum(torch.maximum(moved, pixels - epsilon), pixels + epsilon).clamp(0, 1)
    return ((moved - MEAN) / STD).detach()


def test_madry_trains_on_the_attack_alone(case):
    network, images, labels, pixels = case
    loss = Madry().loss(network, images, labels, None, torch.Generator().manual_seed(2))
    start = 8 / 255 * (2 * torch.rand(images.shape, generator=torch.Generator().manual_seed(2)).double() - 1)
    attacked = ascend(lambda x: F.cross_entropy(network.logits(x), labels), pixels, start, 8 / 255, 2 / 255, 7)
    assert loss.item() == pytest.approx(F.cross_entropy(network.logits(attacked), labels).item(), rel=1e-9)
    assert loss.item() > F.cross_entropy(network.logits(images), labels).item()


def test_trades_weighs_error_and_divergence(case):
    network, images, labels, pixels = case
    loss = Trades(beta=3.0).loss(network, images, labels, None, torch.Generator().manual_seed(2))
    clean = network.logits(images).softmax(1)

    def divergence(moved):
        return (clean * (clean.log() - network.logits(moved).log_softmax(1))).sum(1).mean()

    def fixed(moved):
        return F.kl_div(network.logits(moved).log_softmax(1), clean.detach(), reduction="sum")

    start = 0.001 * torch.randn(images.shape, generator=torch.Generator().manual_seed(2)).double()
    attacked = ascend(fixed, pixels, start, 0.031, 0.007, 10)
    expected = F.cross_entropy(network.logits(images), labels) + 3 * divergence(attacked)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-9)


def test_trades_attacks_in_evaluation_mode_and_keeps_the_statistics_clean(case):
    _, images, labels, _ = case
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)).double()
    Trades().loss(Network(module), images, labels, None, torch.Generator())
    assert module[0].num_batches_tracked == 2
    assert module.training


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_noise_adds_copies_after_the_clean_images(kind, case):
    network, images, labels, _ = case
    seen = []
    network.module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    loss = InputNoise(kind=kind, copies=2).loss(network, images, labels, None, torch.Generator().manual_seed(0))
    assert torch.equal(seen[0][:3], images)
    noise = seen[0][3:].unflatten(0, (2, 3)) - images
    assert (noise.flatten(2).std(2) > 0).all()
    assert not torch.equal(noise[0], noise[1])
    assert loss.item() == pytest.approx(F.cross_entropy(network.logits(seen[0]), labels.repeat(3)).item())


def test_smoothed_labels_spread_a_part_evenly(case):
    network, images, labels, _ = case
    loss = LabelSmoothing(smoothing=0.2).loss(network, images, labels, None, torch.Generator())
    target = 0.8 * F.one_hot(labels, 5) + 0.2 / 5
    expected = -(target * network.logits(images).log_softmax(1)).sum(1).mean()
    assert loss.item() == pytest.approx(expected.item())


def test_masked_takes_one_cell_from_some_of_the_images(case):
    network, images, labels, _ = case
    given = {}
    watched = replace(network, module=nn.Sequential(Seen(given), network.module))
    loss = Masked(rows=2).loss(watched, images.repeat(40, 1, 1, 1), labels.repeat(40), None, torch.Generator())
    shown, height, width = given["images"], images.shape[2] // 2, images.shape[3] // 2
    gone = (shown == 0).all(1)
    cells = torch.stack(
        [gone[:, top : top + height, left : left + width].all((1, 2)) for top in (0, height) for left in (0, width)], 1
    )
    assert (cells.sum(1) == gone.flatten(1).any(1)).all()
    assert ((shown == images.repeat(40, 1, 1, 1)) | gone[:, None]).all()
    assert cells.any(1).double().mean().item() == pytest.approx(0.5, abs=0.15)
    assert cells.any(0).all()
    assert loss.item() == pytest.approx(F.cross_entropy(network.logits(shown), labels.repeat(40)).item())


class Seen(nn.Module):
    """Keeps what it is shown."""

    def __init__(self, given):
        super().__init__()
        self.given = given

    def forward(self, images):
        self.given["images"] = images
        return images
