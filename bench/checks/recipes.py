"""What every recipe promises."""

from collections.abc import Callable

import torch

from bench.api import Network, Recipe, Request
from bench.checks.common import state


def gives_a_finite_loss(recipe: Recipe, network: Network, request: Request) -> None:
    """A scalar loss whose gradient reaches the weights; images untouched."""
    assert request.truth is not None
    images = request.images.clone()
    loss = recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(0))
    assert loss.ndim == 0, f"{recipe.name}: the loss has the shape {tuple(loss.shape)}, expected a scalar"
    assert loss.isfinite(), f"{recipe.name}: the loss is not finite"
    weights = [weight for weight in network.module.parameters() if weight.requires_grad]
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    assert all(g is not None and g.isfinite().all() for g in gradients), (
        f"{recipe.name}: a weight has no finite gradient"
    )
    assert torch.equal(images, request.images), f"{recipe.name} changed the images"


def draws_from_its_generator_alone(recipe: Recipe, network: Network, request: Request) -> None:
    """The same generator state gives the same loss."""
    losses = [
        recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(7))
        for _ in range(2)
    ]
    assert torch.equal(*losses), f"{recipe.name} draws from something else than its generator"


def leaves_modes_and_gradients_alone(recipe: Recipe, network: Network, request: Request) -> None:
    """In either mode: modes, hooks and the gradients of the weights as before; in evaluation everything."""
    for training in (False, True):
        network.module.train(training)
        before, others = state(network.module), state(network.module)[1:]
        recipe.loss(network, request.images, request.targets, request.truth, torch.Generator().manual_seed(0))
        assert state(network.module)[1:] == others, f"{recipe.name} changed modes, hooks or gradients"
        assert training or state(network.module) == before, f"{recipe.name} changed the network in evaluation mode"
    network.module.eval()


RECIPE_CHECKS: tuple[Callable[[Recipe, Network, Request], None], ...] = (
    gives_a_finite_loss,
    draws_from_its_generator_alone,
    leaves_modes_and_gradients_alone,
)
