"""What a network is made of: kept, compared bit by bit, and put back."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import is_
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from bench.api.global_state import SharedCode
from bench.api.module_state import HOOKS, forgotten_with_networks
from bench.scoring.network_part import Part


@dataclass(frozen=True)
class _Copied:
    """A tensor of a network, a copy of its values, and what tells quickly that nobody has written to it."""

    own: Tensor
    before: Tensor
    trainable: bool
    version: int
    place: int

    @classmethod
    def of(cls, own: Tensor) -> "_Copied":
        """The tensor as it is."""
        return cls(own, own.detach().clone(), own.requires_grad, _version(own), own.data_ptr())

    def unwritten(self) -> bool:
        """Whether it is as it was, but for what was written past autograd, as through `.data`."""
        own = self.own
        return own.requires_grad == self.trainable and _version(own) == self.version and own.data_ptr() == self.place

    def holds(self) -> bool:
        """Whether it holds the same numbers."""
        own, before = self.own, self.before
        return own.shape == before.shape and own.dtype == before.dtype and same_bits(own, before)


@dataclass(frozen=True)
class NetworkState:
    """A network's modules, and a copy of every parameter, buffer and tensor that is a plain attribute, by name."""

    parts: dict[str, Part]
    tensors: dict[str, _Copied]
    dictionaries: tuple[tuple[dict[str, Any], list[str], list[Any]], ...]
    empty: tuple[dict[str, Any], ...]

    @classmethod
    def of(cls, module: nn.Module) -> "NetworkState":
        """The state as it is now."""
        parts = {name: Part.of(part) for name, part in module.named_modules()}
        held = [own for part in module.modules() for own in (vars(part), *_dictionaries(part))]
        return cls(
            parts,
            {name: _Copied.of(own) for name, own in _named(module)},
            tuple((own, list(own), list(own.values())) for own in held if own),
            tuple(own for own in held if not own),
        )

    @property
    def kinds(self) -> frozenset[type[nn.Module]]:
        """The classes of its modules."""
        return frozenset(part.kind for part in self.parts.values())

    def unwritten(self) -> bool:
        """Whether all is as it was, but for what was written past autograd, as through `.data`; quickly seen."""
        return self._same_things() and all(own.unwritten() for own in self.tensors.values())

    def changes(self) -> list[str]:
        """Everything that is not as it was, such as `parameter 'conv.weight'`.

        Values are compared bit by bit: writing through `.data` leaves no other trace.
        """
        found = []
        if not self._same_things():
            for name, part in self.parts.items():
                found += [f"{what} of {name!r}" if name else what for what in part.changes()]
        for name, copied in self.tensors.items():
            if copied.own.requires_grad != copied.trainable:
                found.append(f"requires_grad of {name!r}")
            if not copied.holds():
                found.append(name)
        return found

    def _same_things(self) -> bool:
        """Whether the modules consist of the very same things, in the same order; that they do not may be no change."""
        return (
            not any(self.empty)
            and all(
                list(own) == keys and all(map(is_, own.values(), values)) for own, keys, values in self.dictionaries
            )
            and all(part.as_made() for part in self.parts.values())
        )

    def put_back(self) -> None:
        """The network as it was."""
        for part in self.parts.values():
            part.put_back()
        with torch.no_grad():
            for copied in self.tensors.values():
                own, before = copied.own, copied.before
                if own.is_leaf:
                    own.requires_grad_(copied.trainable)
                if own.shape != before.shape or own.dtype != before.dtype:
                    own.data = before.clone()
                elif not copied.holds():
                    own.copy_(before)


def same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether two tensors of one shape and type hold the same numbers; NaN is itself."""
    if torch.equal(first, second):
        return True
    first, second = first.detach(), second.detach()
    return bool(((first == second) | ((first != first) & (second != second))).all())


def _named(module: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a network, each once, by what they are and where."""
    yield from ((f"parameter {name!r}", own) for name, own in module.named_parameters())
    yield from ((f"buffer {name!r}", own) for name, own in module.named_buffers())
    seen = {id(own) for own in (*module.parameters(), *module.buffers())}
    for path, part in module.named_modules():
        for name, own in vars(part).items():
            plain = isinstance(own, Tensor) and own.layout == torch.strided and own.device.type != "meta"
            if plain and id(own) not in seen:
                seen.add(id(own))
                yield f"attribute {(f'{path}.{name}' if path else name)!r}", own


def _version(tensor: Tensor) -> int:
    """How often a tensor was written to; 0 for those of inference mode, which do not count."""
    return 0 if tensor.is_inference() else tensor._version


def _dictionaries(module: nn.Module) -> Iterator[dict[str, Any]]:
    """A module's children, parameters, buffers and hooks."""
    yield from (module._modules, module._parameters, module._buffers)
    yield from (getattr(module, kind) for kind in HOOKS)


_STATES: WeakKeyDictionary[nn.Module, NetworkState] = WeakKeyDictionary()
forgotten_with_networks(_STATES.clear)
_CODE: dict[frozenset[type], SharedCode] = {}


def kept_state(module: nn.Module) -> NetworkState:
    """The network as it is now; a copy that is still right is used again, see `forget_networks`."""
    known = _STATES.get(module)
    if known is None or not known.unwritten():
        known = NetworkState.of(module)
        _STATES[module] = known
    return known


def kept_code(kinds: frozenset[type]) -> SharedCode:
    """The code that all share as it is now; what is known of it is used again where it is still right."""
    known = _CODE.get(kinds)
    if known is None or known.changes():
        known = _CODE[kinds] = SharedCode.of(kinds)
    return known
