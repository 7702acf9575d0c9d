"""Perturbations against the golden numbers of the published training loop, and where it divides by zero."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.api import Network
from bench.functional.adversarial_steps import (
    away_from_gaze,
    fast_elastic,
    fast_group,
    fast_l1,
    gradient_of,
    iterative_elastic,
    iterative_group,
    iterative_l1,
    unit,
)
from bench.training.attacks import cross_entropy_of
from tests.support.maps import as_tensor, golden
from tests.support.networks import smooth_network

SIGN_MODES = ("l1_fast", "l1_iterative", "elastic_fast")
MODES = (*SIGN_MODES, "elastic_iterative", "group_fast", "group_iterative")


def move(mode, objective, images, given):
    epsilon, epsilon2, step = float(given["eps"]), float(given["eps2"]), float(given["step"])
    steps = int(given["iterations"])
    return {
        "l1_fast": lambda: fast_l1(objective, images, epsilon),
        "l1_iterative": lambda: iterative_l1(objective, images, epsilon, step * epsilon, steps),
        "elastic_fast": lambda: fast_elastic(objective, images, epsilon, epsilon2),
        "elastic_iterative": lambda: iterative_elastic(objective, images, epsilon, epsilon2, step, steps),
        "elastic_iterative_active": lambda: iterative_elastic(
            objective, images, float(given["elastic_iterative_active_eps"]), epsilon2, step, steps
        ),
        "group_fast": lambda: fast_group(objective, images, epsilon, 16),
        "group_iterative": lambda: iterative_group(objective, images, epsilon, steps, 16),
    }[mode]()


def published(dtype=torch.float64):
    given = golden("norm_adversarial")
    network = Network(smooth_network(given, dtype))
    images, labels = as_tensor(given["img"]).to(dtype), as_tensor(given["label"])
    return given, network, images, labels


@pytest.mark.parametrize("mode", [*MODES, "elastic_iterative_active"])
def test_first_golden_image_alone_moves_as_in_its_batch(mode):
    # The golden deltas come from a batch of four: the whole-batch norm of the elastic changes nothing.
    given, network, images, labels = published()
    moved = move(mode, cross_entropy_of(network, labels), images, given)
    change = (moved - images)[:, :, 3::9, 2::9]
    assert (change - as_tensor(given[f"{mode}_delta"])).abs().max() < 1e-8


def test_golden_loss_gradient_and_logits():
    given, network, images, labels = published()
    assert (network.logits(images) - as_tensor(given["logits"])).abs().max() < 1e-9
    gradients = gradient_of(cross_entropy_of(network, labels), images)[:, :, 3::9, 2::9]
    assert (gradients - as_tensor(given["loss_grad"])).abs().max() < 1e-8


@pytest.mark.parametrize("mode", SIGN_MODES)
def test_sign_modes_in_float32_differ_in_few_pixels(mode):
    given, network, images, labels = published(torch.float32)
    moved = move(mode, cross_entropy_of(network, labels), images, given)
    assert moved.dtype == torch.float32
    apart = (moved - images)[:, :, 3::9, 2::9] - as_tensor(given[f"{mode}_delta"])
    assert (apart.abs() > 1e-6).double().mean() < 1e-3


def test_published_float64_arrays_in_full(full_golden):
    with np.load(full_golden / "norm_adversarial.npz") as arrays:
        given = dict(arrays)
    network = Network(smooth_network(given))
    images, labels = as_tensor(given["img"]).double(), as_tensor(given["label"])
    objective = cross_entropy_of(network, labels)
    for mode in MODES:
        moved = move(mode, objective, images, given)
        assert (moved - images - as_tensor(given[f"{mode}_delta"])).abs().max() < 1e-8
        losses = [F.cross_entropy(network.logits(inputs), labels).item() for inputs in (images, moved)]
        assert losses == pytest.approx(given[f"{mode}_loss"], abs=1e-9)
    active = int(given["elastic_iterative_active_n"])
    moved = move("elastic_iterative_active", cross_entropy_of(network, labels[:active]), images[:active], given)
    change = moved - images[:active]
    assert (change - as_tensor(given["elastic_iterative_active_delta"])).abs().max() < 1e-8
    # The penalty is what this case is about: without it the same steps end elsewhere.
    free = iterative_elastic(cross_entropy_of(network, labels[:active]), images[:active], 1.0, 0.05, 0.3, 7)
    assert (free - moved).abs().max() > 1e-4


def test_golden_gaze_harmonisation():
    given = golden("norm_adversarial", prefix="cub_")
    network = Network(smooth_network(given))
    objective = cross_entropy_of(network, as_tensor(given["label"]))
    moved = away_from_gaze(objective, as_tensor(given["img"]), as_tensor(given["gaze"]), float(given["eps"]))
    assert (moved - as_tensor(given["img_new"])).abs().max() < 1e-9


def test_elastic_iterative_leaves_the_epsilon_ball_and_l1_does_not(network, request_of):
    request = request_of()
    objective = cross_entropy_of(network, request.targets)
    elastic = iterative_elastic(objective, request.images, 0.01, 0.05, 0.3, 7) - request.images
    l1 = iterative_l1(objective, request.images, 0.01, 0.003, 7) - request.images
    assert elastic.abs().max() > 0.05
    assert l1.abs().max() <= 0.01 + 1e-12


def all_modes(objective, images, truth):
    return {
        "fast_l1": fast_l1(objective, images, 0.01),
        "iterative_l1": iterative_l1(objective, images, 0.01, 0.003, 7),
        "fast_elastic": fast_elastic(objective, images, 0.01, 0.05),
        "iterative_elastic": iterative_elastic(objective, images, 0.01, 0.05, 0.3, 7),
        "fast_group": fast_group(objective, images, 0.01, 4),
        "iterative_group": iterative_group(objective, images, 0.01, 7, 4),
        "away_from_gaze": away_from_gaze(objective, images, truth, 0.5),
    }


def test_no_image_depends_on_its_neighbours(network, request_of):
    request = request_of(4)
    together = all_modes(cross_entropy_of(network, request.targets), request.images, request.truth)
    one = request.select([2])
    alone = all_modes(cross_entropy_of(network, one.targets), one.images, one.truth)
    for mode, moved in together.items():
        assert (moved[2:3] - alone[mode]).abs().max() < 1e-12, mode


def test_weights_get_no_gradient_and_images_stay(network, request_of):
    request = request_of()
    before = request.images.clone()
    for moved in all_modes(cross_entropy_of(network, request.targets), request.images, request.truth).values():
        assert not moved.requires_grad
    assert torch.equal(request.images, before)
    assert all(weight.grad is None for weight in network.module.parameters())


def test_batch_norm_statistics_see_the_attack_in_training_mode(request_of):
    request = request_of()
    torch.manual_seed(0)
    module = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 12 * 10, 5)).double()
    network = Network(module)
    iterative_l1(cross_entropy_of(network, request.targets), request.images, 0.01, 0.003, 7)
    assert module[0].num_batches_tracked == 7
    module.eval()
    iterative_l1(cross_entropy_of(network, request.targets), request.images, 0.01, 0.003, 7)
    assert module[0].num_batches_tracked == 7


def test_without_a_gradient_nothing_moves():
    flat = Network(nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4)).double())
    with torch.no_grad():
        for weight in flat.module.parameters():
            weight.zero_()
    images = torch.rand(2, 3, 8, 8, dtype=torch.float64)
    objective = cross_entropy_of(flat, torch.tensor([0, 1]))
    for mode, moved in all_modes(objective, images, torch.rand(2, 8, 8, dtype=torch.float64)).items():
        assert torch.equal(moved, images), mode


def test_a_dead_patch_stays_and_the_others_move_by_epsilon():
    # The published code divides 0 by 0 here.
    weights = torch.randn(3 * 8 * 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).reshape(3, 8, 8)
    weights[:, :4, :4] = 0
    images = torch.zeros(1, 3, 8, 8, dtype=torch.float64)
    moved = fast_group(lambda inputs: (inputs * weights).sum(), images, 0.5, 2)
    norms = moved.unfold(2, 4, 4).unfold(3, 4, 4).flatten(4).norm(dim=4)
    assert norms[0, :, 0, 0].tolist() == [0, 0, 0]
    assert norms[0, :, 0, 1].tolist() == pytest.approx([0.5] * 3)
    assert norms[0, :, 1].flatten().tolist() == pytest.approx([0.5] * 6)


def test_unit_gradients_survive_underflow():
    gradients = torch.full((2, 3, 4, 4), 1e-30)
    gradients[1] = 0
    assert unit(gradients).flatten(1).norm(dim=1).tolist() == pytest.approx([1, 0])
