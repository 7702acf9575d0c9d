"""What the checks of all kinds share."""

from dataclasses import FrozenInstanceError, fields
from typing import Any

from torch import Tensor, nn

from bench.api import Attribution, Explained, Network, Plugin, Request
from bench.api.module_state import HOOKS
from bench.scoring.measure import explained_by

TOLERANCE = 1e-9


def says_what_it_is(plugin: Plugin) -> None:
    """A frozen dataclass with a default for every setting, a docstring and a public name."""
    assert plugin.name, f"{type(plugin).__name__} has no public name"
    own = "__dataclass_fields__" in vars(type(plugin))
    assert own, f"{type(plugin).__name__} is no dataclass, so that its settings do not exist: @dataclass(frozen=True)"
    assert type(plugin).__doc__, f"{plugin.name}: the class has no docstring"
    assert plugin.summary().endswith("."), f"{plugin.name}: the first line of the docstring is not a sentence"
    assert type(plugin)() == type(plugin)(), f"{plugin.name}: two instances with default settings differ"
    for field in fields(plugin):
        try:
            setattr(plugin, field.name, None)
        except FrozenInstanceError:
            continue
        raise AssertionError(f"{plugin.name} is not frozen: @dataclass(frozen=True)")


def explained_on(network: Network, request: Request, method: Attribution) -> Explained:
    """The explanation of a request by a method."""
    return explained_by(method, network, request, network.logits(request.images).detach())


def close(first: Tensor, second: Tensor, breach: str, least: float = 1.0) -> None:
    """Both tensors hold the same numbers and the same gaps; the breach names what they show.

    The tolerance is a share of the largest number, or of `least` where that is larger.
    """
    apart = (first - second).abs()
    scale = first.abs().nan_to_num().amax().clamp_min(least)
    both_missing = first.isnan() & second.isnan()
    assert bool(((apart <= TOLERANCE * scale) | both_missing).all()), breach


def state(module: nn.Module) -> list[Any]:
    """Everything that a plug-in could leave changed: weights, gradients, modes, the number of hooks."""
    return [
        [(name, values.tolist()) for name, values in module.state_dict().items()],
        [(weight.requires_grad, weight.grad is None) for weight in module.parameters()],
        [part.training for part in module.modules()],
        [len(getattr(part, kind)) for part in module.modules() for kind in HOOKS],
    ]
