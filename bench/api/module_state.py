"""Leave a network as it was found: modes, gradients and hooks, also after an exception."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import chain
from typing import ParamSpec, TypeVar

import torch
from torch import nn

P = ParamSpec("P")
T = TypeVar("T")

HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)

_KEPT: list[Callable[[], None]] = []


def kept_of_networks(make: Callable[P, T]) -> Callable[P, T]:
    """What was made of the last two networks is used again until `forget_networks`: it keeps these networks."""
    kept = lru_cache(maxsize=2)(make)
    forgotten_with_networks(kept.cache_clear)
    return kept  # type: ignore[return-value]


def forgotten_with_networks(forget: Callable[[], None]) -> None:
    """Let `forget_networks` call this too, for what is kept of networks in another way."""
    _KEPT.append(forget)


def forget_networks() -> None:
    """To be called where others than plug-ins may have changed a network: by its settings, or past autograd."""
    for forget in _KEPT:
        forget()


def things_of(module: nn.Module) -> tuple[object, ...]:
    """Every module, weight and buffer of a network: one in which another stands for one of them is another network."""
    return (*module.modules(), *module.parameters(), *module.buffers())


def written_things_of(module: nn.Module) -> tuple[object, ...]:
    """The things of a network, and how often autograd saw each weight and buffer written."""
    return (*things_of(module), *(own._version for own in chain(module.parameters(), module.buffers())))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; the training flag of every submodule as before outside.

    A GPU's convolutions are true float32 inside, and the same every time: torch's own default for them is TF32.
    """
    training = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with convolutions(tf32=False):
            yield
    finally:
        for part, mode in training:
            part.training = mode


@contextmanager
def convolutions(*, tf32: bool) -> Iterator[None]:
    """Whether a GPU's convolutions of float32 may be TF32 inside; by one algorithm, so that runs repeat."""
    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=cudnn.enabled, benchmark=False, deterministic=True, allow_tf32=tf32):
        yield


@contextmanager
def frozen_for_evaluation(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients of the weights inside; everything as before outside.

    Restores the training flag and hooks of every submodule, `requires_grad` and `grad` of every parameter.
    """
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients = [(parameter, parameter.grad) for parameter in module.parameters()]
    hooks = [(getattr(part, kind), dict(getattr(part, kind))) for part in module.modules() for kind in HOOKS]
    for parameter in trainable:
        parameter.requires_grad_(False)
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        with evaluating(module):
            yield
    finally:
        for parameter in trainable:
            parameter.requires_grad_(True)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for current, before in hooks:
            if current or before:
                current.clear()
                current.update(before)


def traces(module: nn.Module) -> dict[str, object]:
    """What a method must not leave on a frozen network although it is put back: modes, hooks, wanted gradients."""
    found: dict[str, object] = {
        f"requires_grad of {name!r}": own.requires_grad for name, own in module.named_parameters()
    }
    for name, part in module.named_modules():
        found[f"mode (train or eval) of {name!r}"] = part.training
        found[f"hooks of {name!r}"] = [list(getattr(part, kind).items()) for kind in HOOKS]
    return found


def unwrapped(module: nn.Module) -> nn.Module:
    """The network itself, without torch.compile, DataParallel or DistributedDataParallel around it."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner
