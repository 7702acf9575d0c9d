"""The modes and solvers of norm-regularised adversarial training, and gaze harmonisation."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.api import Network, Preprocess
from bench.errors import HeatmarkError
from bench.functional.adversarial_steps import away_from_gaze
from bench.methods.recipes.gaze_harmonized import GazeHarmonized
from bench.methods.recipes.norm_adversarial import NormAdversarial
from bench.training.attacks import cross_entropy_of
from tests.support.maps import as_tensor, golden
from tests.support.networks import smooth_network

COMBINATIONS = [
    ("standard", "fast"),
    *((mode, s) for mode in ("l1", "elastic", "group") for s in ("fast", "iterative")),
]


@pytest.mark.parametrize(("mode", "solver"), COMBINATIONS[1:])
def test_default_settings_are_the_published_ones(mode, solver):
    numbers = golden("norm_adversarial")
    network, images = Network(smooth_network(numbers)), as_tensor(numbers["img"]).double()
    moved = NormAdversarial(mode=mode, solver=solver).moved(network, images, as_tensor(numbers["label"]))
    change = (moved - images)[:, :, 3::9, 2::9]
    assert (change - as_tensor(numbers[f"{mode}_{solver}_delta"])).abs().max() < 1e-8


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


class Blinkered(nn.Module):
    """A linear network that does not look at the upper left quarter: patches there have no gradient."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 3 * 16 * 16, generator=torch.Generator().manual_seed(0)))

    def forward(self, images):
        seen = torch.ones_like(images)
        seen[:, :, :8, :8] = 0
        return (images * seen).flatten(1) @ self.weight.T


def degenerate_network(kind):
    torch.manual_seed(0)
    if kind == "blinkered":
        return Blinkered()
    norm = nn.BatchNorm2d(4) if kind == "batch norm" else nn.Identity()
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    module = nn.Sequential(nn.Conv2d(3, 4, 3), norm, nn.ReLU(), head)
    with torch.no_grad():
        if kind == "dead":
            module[0].bias.fill_(-1e6)
        if kind == "confident":
            head[2].weight.mul_(1e4)
    return module


@settings(max_examples=150, deadline=None)
@given(
    combination=st.sampled_from([*COMBINATIONS, "gaze"]),
    kind=st.sampled_from(["blinkered", "dead", "confident", "batch norm", "ordinary"]),
    image=st.sampled_from(["zero", "constant", "large", "ordinary"]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_degenerate_input_gives_a_finite_loss_and_weight_gradient(combination, kind, image, dtype):
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    images = {"zero": 0 * noise, "constant": 0 * noise + 0.3, "large": 1e4 * noise, "ordinary": noise}[image]
    network, truth = Network(degenerate_network(kind).to(dtype)), torch.ones(2, 16, 16, dtype=dtype)
    recipe = GazeHarmonized() if combination == "gaze" else NormAdversarial(mode=combination[0], solver=combination[1])
    loss = recipe.loss(network, images.to(dtype), torch.tensor([0, 1]), truth, torch.Generator())
    loss.backward()
    assert loss.isfinite()
    assert all(weight.grad.isfinite().all() for weight in network.module.parameters())


@pytest.mark.parametrize(("mode", "solver"), COMBINATIONS[1:])
def test_nothing_is_clipped_to_valid_pixels(mode, solver, network, request_of):
    request = request_of(2, 32, 24)
    white = Network(network.module, preprocess=Preprocess((32, 24), mean=(0.5,) * 3, std=(0.25,) * 3))
    moved = NormAdversarial(mode=mode, solver=solver).moved(white, torch.full_like(request.images, 2), request.targets)
    assert moved.max() > 2


@pytest.mark.parametrize("recipe", [NormAdversarial(), GazeHarmonized()])
def test_batch_norm_statistics_see_the_clean_images_too(recipe, request_of):
    request = request_of(2)
    module = nn.Sequential(nn.BatchNorm2d(3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5)).double()
    recipe.loss(Network(module), request.images, request.targets, request.truth, torch.Generator())
    assert module[0].num_batches_tracked == 2


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
