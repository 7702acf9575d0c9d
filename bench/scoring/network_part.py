"""One module of a network: what it is made of, remembered and put back."""

from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np
from torch import Tensor, nn

from bench.api.module_state import HOOKS

_EVERY_MODULE_HAS = {*vars(nn.Module()), "forward"}
# What a network does not have of itself is taken away again without a word: nothing of it reads that.
NEW = "new attribute"
_CONTAINERS = (dict, list, set, np.ndarray)


@dataclass(frozen=True)
class Part:
    """One module of a network: its class, children, weights, buffers, mode, hooks, own attributes and `forward`.

    The module is referred to weakly, so that remembering a network does not keep it alive.
    """

    module: ref[nn.Module]
    kind: type[nn.Module]
    children: dict[str, nn.Module | None]
    parameters: dict[str, nn.Parameter | None]
    buffers: dict[str, Tensor | None]
    training: bool
    hooks: tuple[dict[Any, Any], ...]
    forward: Any
    attributes: dict[str, Any]
    contents: dict[str, Any]

    @classmethod
    def of(cls, module: nn.Module) -> "Part":
        """The part as it is."""
        own = {key: value for key, value in vars(module).items() if key not in _EVERY_MODULE_HAS}
        return cls(
            ref(module),
            type(module),
            dict(module._modules),
            dict(module._parameters),
            dict(module._buffers),
            module.training,
            tuple(dict(getattr(module, kind)) for kind in HOOKS),
            module.__dict__.get("forward"),
            own,
            {key: value.copy() for key, value in own.items() if isinstance(value, _CONTAINERS)},
        )

    @property
    def _now(self) -> nn.Module:
        module = self.module()
        assert module is not None, "a part lives as long as its network"  # noqa: S101 - for the type checker
        return module

    def changes(self) -> list[str]:
        """What is another thing than it was, in words."""
        now = self._now
        found = [
            f"{what} {name!r}"
            for what, before, after in (
                ("module", self.children, now._modules),
                ("parameter", self.parameters, now._parameters),
                ("buffer", self.buffers, now._buffers),
            )
            for name in before.keys() | after.keys()
            if before.get(name) is not after.get(name)
        ]
        if list(now._modules) != list(self.children) and not found:
            found.append("order of the modules")
        if type(now) is not self.kind or now.__dict__.get("forward") is not self.forward:
            found.append("`forward`")
        if now.training != self.training:
            found.append("mode (train or eval)")
        if any(getattr(now, kind) != before for kind, before in zip(HOOKS, self.hooks, strict=True)):
            found.append("hooks")
        return found + self._attribute_changes(vars(now))

    def as_made(self) -> bool:
        """Whether it is of the same class, and its containers hold the same things."""
        contents = self.contents.items()
        return type(self._now) is self.kind and (
            not contents or all(_same_content(self.attributes[name], content) for name, content in contents)
        )

    def _attribute_changes(self, now: dict[str, Any]) -> list[str]:
        found = []
        for name, value in now.items():
            if name not in self.attributes and name not in _EVERY_MODULE_HAS:
                found.append(f"{'attribute' if callable(value) else NEW} {name!r}")
        for name, before in self.attributes.items():
            if name not in now or _another(now[name], before) or not _same_content(before, self.contents.get(name)):
                found.append(f"attribute {name!r}")
        return found

    def put_back(self) -> None:
        """Every part of the module as it was, but for the values of its tensors."""
        now = self._now
        if type(now) is not self.kind:
            now.__class__ = self.kind
        for current, before in (
            (now._modules, self.children),
            (now._parameters, self.parameters),
            (now._buffers, self.buffers),
            *((getattr(now, kind), before) for kind, before in zip(HOOKS, self.hooks, strict=True)),
        ):
            current.clear()
            current.update(before)
        now.training = self.training
        now.__dict__.pop("forward", None)
        if self.forward is not None:
            now.__dict__["forward"] = self.forward
        for name in vars(now).keys() - self.attributes.keys() - _EVERY_MODULE_HAS:
            del now.__dict__[name]
        now.__dict__.update(self.attributes)
        for name, content in self.contents.items():
            if not _same_content(self.attributes[name], content):
                _fill(self.attributes[name], content)


def _another(now: Any, before: Any) -> bool:
    """Whether a value is another thing; plain ones that are equal are the same."""
    if now is before:
        return False
    return type(now) is not type(before) or not isinstance(now, int | float | str | tuple) or bool(now != before)


def _same_content(now: Any, before: Any) -> bool:
    """Whether a container holds the same things; what holds nothing else is itself."""
    if before is None:
        return True
    if isinstance(now, np.ndarray):
        return bool(now.shape == before.shape) and now.tobytes() == before.tobytes()
    if isinstance(now, set):
        return bool(now == before)
    if len(now) != len(before):
        return False
    if isinstance(now, dict):
        return all(key in before and not _another(value, before[key]) for key, value in now.items())
    return not any(map(_another, now, before))


def _fill(container: Any, content: Any) -> None:
    if isinstance(container, np.ndarray):
        np.copyto(container, content)
    elif isinstance(container, list):
        container[:] = content
    else:
        container.clear()
        container.update(content)
