"""What a network is made of: kept, compared bit by bit, and put back."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor, nn

from bench.api.module_state import HOOKS


@dataclass(frozen=True)
class _Part:
    """One module of a network: its class, children, weights, buffers, mode, hooks, and a `forward` of its own.

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

    @classmethod
    def of(cls, module: nn.Module) -> "_Part":
        """The part as it is."""
        return cls(
            ref(module),
            type(module),
            dict(module._modules),
            dict(module._parameters),
            dict(module._buffers),
            module.training,
            tuple(dict(getattr(module, kind)) for kind in HOOKS),
            module.__dict__.get("forward"),
        )

    @property
    def _now(self) -> nn.Module:
        module = self.module()
        assert module is not None, "a part lives as long as its network"  # noqa: S101 - for the type checker
        return module

    def change(self) -> str | None:
        """What is another thing than it was, in words; None where nothing is."""
        now = self._now
        for what, before, after in (
            ("module", self.children, now._modules),
            ("parameter", self.parameters, now._parameters),
            ("buffer", self.buffers, now._buffers),
        ):
            for name in before.keys() | after.keys():
                if before.get(name) is not after.get(name):
                    return f"{what} {name!r}"
        if type(now) is not self.kind or now.__dict__.get("forward") is not self.forward:
            return "`forward`"
        if now.training != self.training:
            return "mode (train or eval)"
        same = all(getattr(now, kind) == before for kind, before in zip(HOOKS, self.hooks, strict=True))
        return None if same else "hooks"

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


@dataclass(frozen=True)
class NetworkState:
    """A network's modules, and a copy of every parameter and buffer, by name."""

    parts: dict[str, _Part]
    tensors: dict[str, tuple[Tensor, Tensor, bool]]

    @classmethod
    def of(cls, module: nn.Module) -> "NetworkState":
        """The state as it is now."""
        parts = {name: _Part.of(part) for name, part in module.named_modules()}
        return cls(parts, {name: (own, own.detach().clone(), own.requires_grad) for name, own in _named(module)})

    def change(self) -> str | None:
        """The first thing that is not as it was, such as `parameter 'conv.weight'`; None where all is.

        Values are compared bit by bit: writing through `.data` leaves no other trace.
        """
        for name, part in self.parts.items():
            found = part.change()
            if found is not None:
                return f"{found} of {name!r}" if name else found
        for name, (own, before, trainable) in self.tensors.items():
            if own.requires_grad != trainable:
                return f"requires_grad of {name!r}"
            if own.shape != before.shape or own.dtype != before.dtype or not same_bits(own, before):
                return f"{'parameter' if isinstance(own, nn.Parameter) else 'buffer'} {name!r}"
        return None

    def put_back(self) -> None:
        """The network as it was."""
        for part in self.parts.values():
            part.put_back()
        with torch.no_grad():
            for own, before, trainable in self.tensors.values():
                own.requires_grad_(trainable)
                if own.shape != before.shape or own.dtype != before.dtype:
                    own.data = before.clone()
                elif not same_bits(own, before):
                    own.copy_(before)


def same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors of one shape and type hold the same numbers; NaN is itself."""
    first, second = first.detach(), second.detach()
    if torch.equal(first, second):
        return True
    return bool(((first == second) | ((first != first) & (second != second))).all())


def _named(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


_STATES: WeakKeyDictionary[nn.Module, NetworkState] = WeakKeyDictionary()


def kept_state(module: nn.Module) -> NetworkState:
    """The network as it is now; a copy that is still right is used again."""
    known = _STATES.get(module)
    if known is None or known.parts.keys() != dict(module.named_modules()).keys() or known.change() is not None:
        known = NetworkState.of(module)
        _STATES[module] = known
    return known
