"""Plug-ins made of what other libraries offer, by name: `captum:Saliency`, `quantus:Sparseness`, `hf:beans`.

A file of a folder `adapters` stands for one library. It has a function `plugin(name)` that makes the plug-in class of a
name, and `names()`, those that work. Settings are the parameters of the library's own signature.
"""

import inspect
import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import field, make_dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from bench.api.plugin import Plugin
from bench.errors import HeatmarkError, UnsupportedError, nearest

P = TypeVar("P", bound=Plugin)
SIMPLE = (bool, int, float, str)
# How libraries fail on what they cannot do; all else is a mistake, here or there.
FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


def adapted_class(
    base: type[P], library: str, target: Callable[..., Any], settings: Mapping[str, Any], name: str = ""
) -> type[P]:
    """A plug-in class for one method, metric or data set of a library; `settings` are its fields and their defaults.

    `base` is the adapter's own class, in whose file it counts as written; `target` the library's class, whose name it
    has unless there is another.
    """
    name = name or target.__name__
    fields = [(key, type(value), field(default=value)) for key, value in settings.items()]
    stamp = f"{library} {version(library)}"
    about = {
        "__doc__": f"{name} of {stamp}.",
        "__module__": base.__module__,
        "display": f"{name} ({library})",
        "library": stamp,
        "target": staticmethod(target),
        "reference": f"{target.__module__}.{name}",
        "__reduce__": _travels,
    }
    made: type[P] = make_dataclass(name, fields, bases=(base,), namespace=about, frozen=True)
    made.name = f"{base.__module__.rpartition('.')[2]}:{name}"
    return made


def _travels(own: Plugin) -> tuple[Callable[..., Plugin], tuple[str, str, dict[str, Any]]]:
    """How pickle takes an instance of a class that no module holds: by its adapter, name and settings."""
    return _made_again, (type(own).__module__, own.name.partition(":")[2], own.settings)


def _made_again(adapter: str, name: str, settings: Mapping[str, Any]) -> Plugin:
    plugin: Plugin = import_module(adapter).plugin(name)(**settings)
    return plugin


def settings_of(*signatures: Callable[..., Any], leaving: Sequence[str] = ()) -> dict[str, Any]:
    """The parameters of a library's functions that are settings: those with a number, a word or a flag as default."""
    found: dict[str, Any] = {}
    for function in signatures:
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name not in leaving and isinstance(parameter.default, SIMPLE):
                found[parameter.name] = parameter.default
    return found


def refuse(library: str, name: str, refused: Mapping[str, str], known: Sequence[str]) -> HeatmarkError:
    """Why a name of a library makes no plug-in: the reason, or the nearest name."""
    if name in refused:
        return HeatmarkError(f"{library}:{name} is not offered: {refused[name]}")
    return HeatmarkError(f"{library} has no {name!r} for image classifiers; {nearest(name, known)}")


def unsupported(who: str, error: Exception) -> UnsupportedError:
    """What a plug-in says where its library fails."""
    return UnsupportedError(f"{who}: {' '.join(str(error).split())[:300] or type(error).__name__}")


def map_of_one(who: str, module: nn.Module, seed: int, like: Tensor, work: Callable[[], Tensor]) -> Tensor:
    """The map that a library makes of one image, in the form of `like`, its draws decided by `seed`.

    All NaN where the network has no answer to something that it is shown, of which libraries make numbers or fail.
    UnsupportedError where the library fails on answers.
    """
    with seeded(seed), answers_of(module) as answers:
        try:
            found = work()
        except FAILURES as error:
            if all(answers):
                raise unsupported(who, error) from error
            found = like
    return found if all(answers) else torch.full_like(like, torch.nan)


@contextmanager
def answers_of(module: nn.Module) -> Iterator[list[bool]]:
    """Whether the network's outputs are finite, one for each pass inside."""
    seen: list[bool] = []
    handle = module.register_forward_hook(lambda _, __, outputs: seen.append(bool(outputs.isfinite().all())))
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Python's, numpy's and torch's global generators from a seed inside; as before outside."""
    python, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002 - what libraries draw from
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy_state)  # noqa: NPY002


@contextmanager
def silenced() -> Iterator[None]:
    """What a library prints, bars of progress too, goes nowhere."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
