"""What all code of a process shares, settings, hooks and code, put back after code that may have changed it."""

import os
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import is_
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional
from torch import nn
from torch.nn.modules import module as modules

_HOOKS = (
    *("_global_forward_hooks", "_global_forward_hooks_always_called", "_global_forward_hooks_with_kwargs"),
    *("_global_forward_pre_hooks", "_global_backward_hooks", "_global_backward_pre_hooks"),
    *("_global_parameter_registration_hooks", "_global_module_registration_hooks", "_global_buffer_registration_hooks"),
)

_COMPILER = tuple(str(Path(torch.__file__).parent / name) for name in ("_dynamo", "_compile.py"))


def _set_default_device(device: torch.device) -> None:
    # With a device of its own torch is slower; without one it is the CPU.
    torch.set_default_device(None if device == torch.device("cpu") else device)


def _deterministic() -> tuple[bool, bool]:
    return torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()


def _set_deterministic(state: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(state[0], warn_only=state[1])


def _cudnn() -> tuple[bool, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32


def _set_cudnn(state: tuple[bool, bool, bool, bool]) -> None:
    cudnn = torch.backends.cudnn
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32 = state


def _autocast() -> list[tuple[str, bool, torch.dtype]]:
    return [(kind, torch.is_autocast_enabled(kind), torch.get_autocast_dtype(kind)) for kind in ("cpu", "cuda")]


def _set_autocast(state: list[tuple[str, bool, torch.dtype]]) -> None:
    for kind, enabled, dtype in state:
        torch.set_autocast_enabled(kind, enabled)
        torch.set_autocast_dtype(kind, dtype)


def _flushes() -> bool:
    """Whether numbers next to zero count as zero, which torch sets and does not tell."""
    return bool(np.float32(1e-40) * np.float32(0.5) == 0)


# How each setting is read, and how it is set.
SETTINGS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "default type of numbers": (torch.get_default_dtype, torch.set_default_dtype),
    "default device": (torch.get_default_device, _set_default_device),
    "mode of gradients": (torch.is_grad_enabled, torch.set_grad_enabled),
    "detection of anomalies": (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    "number of threads": (torch.get_num_threads, torch.set_num_threads),
    "precision of products": (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    "choice of deterministic algorithms": (_deterministic, _set_deterministic),
    "settings of cuDNN": (_cudnn, _set_cudnn),
    "autocast": (_autocast, _set_autocast),
    "treatment of small numbers": (_flushes, torch.set_flush_denormal),
    "errors of numpy": (np.geterr, lambda state: np.seterr(**state)),
    "working folder": (os.getcwd, os.chdir),
}
# The same of what random numbers are drawn from.
GENERATORS: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "random numbers of Python": (random.getstate, random.setstate),
    "random numbers of numpy": (np.random.get_state, np.random.set_state),
    "random numbers of torch": (torch.get_rng_state, torch.set_rng_state),
}


@contextmanager
def shared_settings_kept() -> Iterator[None]:
    """Random generators and what is set for a whole process as before, outside.

    That is the default type and device, gradients, threads, precision, determinism, autocast, small numbers, numpy's
    errors and the working folder.
    """
    on_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    generators = [(put, read()) for read, put in GENERATORS.values()]
    settings = [(read, put, read()) for read, put in SETTINGS.values()]
    try:
        yield
    finally:
        for read, put, before in settings:
            if read() != before:
                put(before)
        for put, before in generators:
            put(before)
        if on_gpus:
            torch.cuda.set_rng_state_all(on_gpus)


@dataclass(frozen=True)
class SharedCode:
    """The functions of classes and of torch that any code may replace for all others, and torch's hooks for all."""

    places: tuple[tuple[Any, dict[str, Any]], ...]
    hooks: tuple[tuple[dict[Any, Any], dict[Any, Any]], ...]

    @classmethod
    def of(cls, kinds: Iterable[type]) -> "SharedCode":
        """As they are now; `kinds` are the classes of the parts of networks."""
        places = (torch, torch.nn.functional, torch.Tensor, nn.Module, *kinds)
        hooks = [getattr(modules, name, None) for name in _HOOKS]
        return cls(
            tuple((place, dict(vars(place))) for place in dict.fromkeys(places)),
            tuple((own, dict(own)) for own in hooks if own is not None),
        )

    def changes(self) -> list[str]:
        """What is not as it was, in words."""
        found = [f"code of {place.__name__}.{name}" for place, before in self.places for name in _new(place, before)]
        if any(current != before for current, before in self.hooks):
            found.append("hooks of all modules")
        return found

    def put_back(self) -> None:
        """Everything as it was."""
        for place, before in self.places:
            for name in _new(place, before):
                if name in before:
                    setattr(place, name, before[name])
                else:
                    delattr(place, name)
        for current, before in self.hooks:
            if current != before:
                current.clear()
                current.update(before)


def _new(place: Any, before: dict[str, Any]) -> list[str]:
    """The functions of a class or module that are others than before.

    A module of Python that had none of a name may get one later, as it loads its parts when they are asked for; so may
    the classes that torch's compiler marks.
    """
    now = vars(place)
    if len(now) == len(before) and all(map(is_, now.values(), before.values())):
        return []
    own = isinstance(place, type) and place not in (torch.Tensor, nn.Module)
    added = now if own else [name for name in now if name not in before and _is_inherited(place, name)]
    return [
        name
        for name in dict.fromkeys((*before, *added))
        if now.get(name) is not before.get(name)
        and (callable(now.get(name)) or callable(before.get(name)))
        and not _by_the_compiler(now.get(name))
    ]


def _is_inherited(place: Any, name: str) -> bool:
    """Whether a class has this from another, so that one of its own takes its place."""
    return isinstance(place, type) and any(name in vars(base) for base in place.__mro__[1:])


def _by_the_compiler(function: Any) -> bool:
    """Whether torch itself has replaced a function, as it does when its compiler is loaded."""
    code = getattr(function, "__code__", None)
    return code is not None and str(code.co_filename).startswith(_COMPILER)
