"""The metric measures what the recipe trains on."""

from typing import get_args

import pytest
import torch
from torch import Tensor

from bench import checks
from bench.api import Explained
from bench.functional.gradient_penalties import Regulariser
from bench.methods.attributions.simple_gradient import SimpleGradient
from bench.methods.recipes.gradient_regularized import GradientRegularized
from bench.metrics.fidelity.gradient_penalty import GradientPenalty
from bench.scoring.measure import explained_by

EVERY = get_args(Regulariser)


@pytest.fixture(scope="module")
def explained() -> Explained:
    network, request = checks.small_network(), checks.small_request(height=16, width=16)
    return explained_by(SimpleGradient(), network, request, network.logits(request.images).detach())


def trained_on(regulariser: Regulariser, explained: Explained) -> Tensor:
    recipe = GradientRegularized(regulariser=regulariser)
    return recipe.penalty(explained.network, explained.images, explained.targets, torch.Generator()).detach()


@pytest.mark.parametrize("regulariser", [name for name in EVERY if name != "spectreg"])
def test_of_the_simple_gradient_it_is_the_recipes_own_number(regulariser: Regulariser, explained: Explained) -> None:
    scored = GradientPenalty(regulariser).measure(explained)
    assert (scored.score - trained_on(regulariser, explained)).abs().max() < 1e-12
    assert scored.score.unique().numel() == len(scored.score)


def test_spectreg_is_the_mean_square_of_a_random_projections_gradient(explained: Explained) -> None:
    network, images = explained.network, explained.images
    with torch.no_grad():
        draws = explained.rng.normal((network.logits(images).shape[1],), images)
    rows = torch.autograd.functional.jacobian(lambda x: network.logits(x).sum(0), images)  # (output, batch, ...)
    expected = torch.einsum("bo,obchw->bchw", draws, rows).square().mean((1, 2, 3))
    assert (GradientPenalty("spectreg").measure(explained).score - expected).abs().max() < 1e-12


@pytest.mark.parametrize("regulariser", EVERY)
def test_maps_of_one_channel_count_for_every_channel_of_the_image(
    regulariser: Regulariser, explained: Explained
) -> None:
    grey = explained.attributions.mean(1, keepdim=True)
    alone, repeated = (
        Explained(**{**vars(explained), "attributions": maps}) for maps in (grey, grey.repeat(1, 3, 1, 1))
    )
    one, three = (GradientPenalty(regulariser).measure(of).score for of in (alone, repeated))
    assert torch.equal(one, three)
    assert one.isfinite().all()


@pytest.mark.parametrize("regulariser", ["datagrad", "spectreg"])
def test_a_network_in_training_mode_is_measured_in_evaluation_mode(regulariser: Regulariser) -> None:
    network, request = checks.small_network(), checks.small_request(height=16, width=16)
    explained = explained_by(SimpleGradient(), network, request, network.logits(request.images).detach())
    expected = GradientPenalty(regulariser).measure(explained).score
    network.module.train()
    before = [values.clone() for values in network.module.state_dict().values()]
    assert torch.equal(GradientPenalty(regulariser).measure(explained).score, expected)
    assert all(map(torch.equal, before, network.module.state_dict().values()))
    assert network.module.training


def test_the_gradients_of_the_weights_stay_out_of_it(explained: Explained) -> None:
    for regulariser in EVERY:
        GradientPenalty(regulariser).measure(explained)
    assert all(weight.grad is None for weight in explained.network.module.parameters())
