"""The modes and solvers of norm-regularised adversarial training, and gaze harmonisation."""

import pytest
import torch
import torch.nn.functional as F
from helpers import as_tensor, golden, smooth_network
from torch import nn

from bench.errors import HeatmarkError
from bench.handed import Network
from bench.methods.recipes.gaze_harmonized import GazeHarmonized
from bench.methods.recipes.norm_adversarial import NormAdversarial
from bench.perturbations import away_from_gaze, cross_entropy_of

COMBINATIONS = [
    ("standard", "fast"),
    *((mode, s) for mode in ("l1", "elastic", "group") for s in ("fast", "iterative")),
]


@pytest.mark.parametrize(("mode", "solver"), COMBINATIONS[1:])
def test_default_settings_are_the_published_ones(mode, solver):
    given = golden("norm_adversarial")
    network, images = Network(smooth_network(given)), as_tensor(given["img"]).double()
    moved = NormAdversarial(mode=mode, solver=solver).moved(network, images, as_tensor(given["label"]))
    change = (moved - images)[:, :, 3::9, 2::9]
    assert (change - as_tensor(given[f"{mode}_{solver}_delta"])).abs().max() < 1e-8


@pytest.mark.parametrize(("mode", "solver"), COMBINATIONS)
def test_loss_is_the_mean_error_of_the_moved_images(mode, solver, network, request_of):
    request, recipe = request_of(3, 32, 24), NormAdversarial(mode=mode, solver=solver)
    loss = recipe.loss(network, request.images, request.targets, None, torch.Generator())
    moved = recipe.moved(network, request.images, request.targets)
    assert not moved.requires_grad
    assert loss.item() == pytest.approx(F.cross_entropy(network.logits(moved), request.targets).item())
    assert torch.equal(moved, request.images) == (mode == "standard")


def test_standard_has_no_iterative_solver():
    with pytest.raises(ValueError, match="expected solver 'fast'"):
        NormAdversarial(mode="standard", solver="iterative")


@pytest.mark.parametrize(("mode", "solver"), COMBINATIONS)
def test_an_image_without_gradient_gives_a_finite_loss_and_weight_gradient(mode, solver):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    with torch.no_grad():
        module[0].bias.fill_(-1e6)
    images = torch.rand(2, 3, 16, 16)
    loss = NormAdversarial(mode=mode, solver=solver).loss(
        Network(module), images, torch.tensor([0, 1]), None, torch.Generator()
    )
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in module.parameters())


def test_group_cuts_small_and_uneven_images_too(network, request_of):
    request = request_of(2, 12, 37)
    moved = NormAdversarial(mode="group").moved(network, request.images, request.targets)
    assert (moved - request.images).abs().max() <= 0.01 + 1e-12
    assert not torch.equal(moved, request.images)


def test_gaze_harmonised_loss_is_the_mean_error_of_the_moved_images(network, request_of):
    request = request_of(3)
    loss = GazeHarmonized().loss(network, request.images, request.targets, request.truth, torch.Generator())
    moved = away_from_gaze(cross_entropy_of(network, request.targets), request.images, request.truth, 0.5)
    assert loss.item() == pytest.approx(F.cross_entropy(network.logits(moved), request.targets).item())


def test_gaze_decides_the_direction(network, request_of):
    request = request_of(2)
    objective = cross_entropy_of(network, request.targets)
    nowhere = away_from_gaze(objective, request.images, torch.zeros_like(request.truth), 0.01)
    everywhere = away_from_gaze(objective, request.images, torch.ones_like(request.truth), 0.01)
    assert objective(nowhere) > objective(request.images) > objective(everywhere)
    assert (nowhere + everywhere - 2 * request.images).abs().max() < 1e-12


def test_gaze_harmonised_without_a_truth_map_is_refused(network, request_of):
    request = request_of(2)
    with pytest.raises(HeatmarkError, match="needs a truth map"):
        GazeHarmonized().loss(network, request.images, request.targets, None, torch.Generator())
