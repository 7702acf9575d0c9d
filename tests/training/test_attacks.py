"""PGD in pixel space: the ball, the valid range, who it depends on."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from bench.api import ImageRandom, Preprocess
from bench.training.attacks import pgd

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


@pytest.fixture
def attacked(network, request_of):
    request = request_of(5)
    mean, std = (torch.tensor(values, dtype=torch.float64)[:, None, None] for values in (MEAN, STD))
    pixels = request.images.sigmoid()
    pixels[0, :, 0] = 1
    network = replace(network, preprocess=Preprocess(size=(12, 10), mean=MEAN, std=STD))
    request = request.with_images((pixels - mean) / std)
    moved = pgd(network, request.images, request.targets, 8 / 255, 2 / 255, 5, request.rng)
    return network, request, pixels, moved, moved * std + mean


def test_stays_in_the_ball_and_in_the_valid_range(attacked):
    _, _, pixels, _, moved_pixels = attacked
    assert (moved_pixels - pixels).abs().max() == pytest.approx(8 / 255, abs=1e-12)
    assert moved_pixels.min() >= -1e-12
    assert moved_pixels.max() <= 1 + 1e-12


def test_raises_every_loss(attacked):
    network, request, _, moved, _ = attacked
    before, after = (
        F.cross_entropy(network.logits(x), request.targets, reduction="none") for x in (request.images, moved)
    )
    assert (after > before).all()


def test_an_image_is_attacked_alone_as_in_company(attacked):
    network, request, _, moved, _ = attacked
    one = request.select([3])
    alone = pgd(network, one.images, one.targets, 8 / 255, 2 / 255, 5, one.rng)
    assert (alone - moved[3:4]).abs().max() < 1e-12


def test_leaves_the_network_as_it_was(attacked):
    network, request, *_ = attacked
    network.module.train()
    pgd(network, request.images, request.targets, 8 / 255, 2 / 255, 1, request.rng)
    assert network.module.training
    assert all(weight.grad is None and weight.requires_grad for weight in network.module.parameters())


def test_another_seed_starts_elsewhere_and_no_steps_stay_at_the_start(attacked):
    network, request, *_ = attacked
    ids = request.rng.image_ids
    starts = [pgd(network, request.images, request.targets, 0.1, 0.1, 0, ImageRandom(s, "x", ids)) for s in (0, 1)]
    assert not torch.equal(*starts)
    assert (starts[0] - request.images).abs().max() <= 0.1 / min(STD) + 1e-12
