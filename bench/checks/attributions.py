"""What every attribution promises."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bench.api import Attribution, Network, Request
from bench.checks.common import close, explained_on, state
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.checks.full_passes import PAIRS, largest_pass
from bench.errors import UnsupportedError
from bench.scoring.passes import passes_of

FEW = {"samples": 6, "masks": 24, "steps": 4, "nodes": 4, "cells": 3}
STEADY = 1e-4  # of the largest attribution: what passes for a difference that a target makes


def quick(method: Attribution) -> Attribution:
    """The method with few samples, masks, cells, steps and nodes."""
    few: dict[str, Any] = {name: few for name, few in FEW.items() if name in method.settings}
    return replace(method, **few)


def network_for(method: Attribution) -> Network:
    """The small network to try a method on: convolutional, or a transformer where only that is supported."""
    try:
        method.explain(small_network(), small_request(1))
    except UnsupportedError:
        return small_transformer()
    except (Exception, SystemExit):  # noqa: BLE001 - what it does wrong the promises will say
        return small_network()
    return small_network()


def gives_maps_of_the_right_shape(method: Attribution, network: Network, request: Request) -> None:
    """Floating point (batch, channel or 1, height, width), and finite heatmaps (batch, height, width)."""
    attributions = method.explain(network, request)
    heatmaps = method.heatmaps(attributions)
    expected = (len(request), *request.images.shape[2:])
    assert tuple(heatmaps.shape) == expected, f"{method.name}: heatmaps {tuple(heatmaps.shape)}, expected {expected}"
    assert heatmaps.isfinite().all(), f"{method.name}: a heatmap is not finite"


def explains_alone_as_in_company(method: Attribution, network: Network, request: Request) -> None:
    """The same attributions for each image alone, in the batch, in another order and with other chunks."""
    whole = method.explain(network, request)
    backwards = list(range(len(request)))[::-1]
    _same(whole[backwards], method.explain(network, request.select(backwards)), f"{method.name} depends on the order")
    for row in range(len(request)):
        alone = method.explain(network, request.select([row]))
        _same(whole[row : row + 1], alone, f"{method.name} depends on the other images of the batch")
    chunked = method.explain(replace(network, chunk=1), request)
    _same(whole, chunked, f"{method.name} depends on the chunk size")


def explains_channels_last_alike(method: Attribution, network: Network, request: Request) -> None:
    """The same attributions whatever the memory format of the images."""
    last = request.with_images(request.images.contiguous(memory_format=torch.channels_last))
    breach = f"{method.name} depends on the memory format"
    _same(method.explain(network, request), method.explain(network, last), breach)


def explains_its_target(method: Attribution, network: Network, request: Request) -> None:
    """Another target for an image changes its attributions, or never does, as declared; the others keep theirs."""
    targets = request.targets.clone()
    targets[0] = (targets[0] + 1) % network.logits(request.images[:1]).shape[1]
    before, after = method.explain(network, request), method.explain(network, replace(request, targets=targets))
    _same(before[1:], after[1:], f"{method.name}: the target of one image changed the attributions of another")
    moved = bool((before[0] - after[0]).abs().max() > STEADY * before[0].abs().max())
    assert moved == method.follows_target, (
        f"{method.name} declares follows_target = {method.follows_target}, and another target "
        f"{'changed' if moved else 'did not change'} the attributions"
    )


def costs_what_it_declares(method: Attribution, network: Network, request: Request) -> None:
    """The declared passes through the network are those that are counted."""
    declared = method.cost(network, request)
    if declared is None:
        return
    explained = explained_on(network, request, method)
    counted = passes_of(network, lambda: explained.attribute_again(explained.images))
    assert declared.shared == method.shared_passes, f"{method.name} shares {declared.shared} passes, not as it says"
    once = declared.shared * request.parts(network.chunk)
    expected = (declared.forward * len(request) + once, declared.backward * len(request))
    assert counted == expected, f"{method.name} declares {expected} passes forward and backward, counted {counted}"


def shows_no_more_than_its_chunk(method: Attribution, network: Network, request: Request) -> None:
    """No more images go through the network at once than its chunk, each with its reference at most."""
    method.explain(network, request)  # what fails here too is said as by the other promises
    own = replace(network, chunk=1)
    shown = largest_pass(own, lambda: method.explain(own, request))
    assert shown <= PAIRS, f"{method.name} shows {shown} images at once to a network that takes 1 (`network.chunk`)"


def explains_twice_the_same(method: Attribution, network: Network, request: Request) -> None:
    """The same request gives the same attributions, whatever the state of torch's own random numbers."""
    first = method.explain(network, request)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        before = torch.get_rng_state()
        second = method.explain(network, request)
        assert torch.equal(before, torch.get_rng_state()), f"{method.name} draws from torch's own random numbers"
    assert torch.equal(first, second), f"{method.name} is not deterministic"


def leaves_everything_as_it_was(method: Attribution, network: Network, request: Request) -> None:
    """Weights, gradients, modes, hooks and images are untouched, also when the network fails in the middle."""
    before, images = state(network.module), request.images.clone()
    method.explain(network, request)
    assert state(network.module) == before, f"{method.name} changed the network"
    assert torch.equal(images, request.images), f"{method.name} changed the images"
    assert not request.images.requires_grad, f"{method.name} left requires_grad on the images"
    for failing in (_Fails(network.module, forward=1), _Fails(network.module, forward=3), _Fails(network.module)):
        with suppress(_PlannedError):
            method.explain(replace(network, module=failing), request)
        assert state(network.module) == before, f"{method.name} changed the network when it failed"


def _same(first: Tensor, second: Tensor, breach: str) -> None:
    close(first, second, breach, least=1e-6)  # attributions have no scale of their own, and small ones count too


class _PlannedError(Exception):
    """The failure that a check brings about."""


class _Fails(nn.Module):
    """A network that fails at the end of its `forward`-th pass; without that, as soon as gradients are taken."""

    def __init__(self, inner: nn.Module, forward: int | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.left = forward

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.inner(images)
        if self.left is None:
            if logits.requires_grad:
                logits.register_hook(_fail)
            return logits
        self.left -= 1
        if not self.left:
            raise _PlannedError
        return logits


def _fail(_: Tensor) -> None:
    raise _PlannedError


ATTRIBUTION_CHECKS: tuple[Callable[[Attribution, Network, Request], None], ...] = (
    gives_maps_of_the_right_shape,
    explains_alone_as_in_company,
    explains_channels_last_alike,
    explains_its_target,
    explains_twice_the_same,
    shows_no_more_than_its_chunk,
    costs_what_it_declares,
    leaves_everything_as_it_was,
)
