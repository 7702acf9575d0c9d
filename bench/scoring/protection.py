"""Nobody poisons anybody: what a plug-in is given is as it was after every call, or the plug-in fails by name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from bench.api import Compared, Explained, HeatmarkError, Network, Plugin, Request
from bench.api.global_state import shared_settings_kept
from bench.scoring.network_part import NEW
from bench.scoring.network_state import NetworkState, kept_code, kept_state, same_bits


@dataclass(frozen=True)
class Given:
    """What a plug-in is given: networks, plug-ins with their settings, and tensors beside what they must stay."""

    networks: tuple[Network, ...]
    plugins: tuple[Plugin, ...]
    tensors: dict[str, tuple[Tensor, Tensor]]


@contextmanager
def unchanged(who: str, given: Given) -> Iterator[None]:
    """The networks as they were outside, also after an exception; the tensors and what a process shares too.

    HeatmarkError saying that `who` changed what, where something was changed: what the block computed must not be used.
    """
    kept = _Kept(given)
    try:
        with shared_settings_kept():
            yield
    except KeyboardInterrupt:
        kept.put_back()
        raise
    except BaseException as error:
        _refuse(who, kept.put_back(), error)
        raise
    _refuse(who, kept.put_back(), None)


def _refuse(who: str, change: str | None, cause: BaseException | None) -> None:
    if change is not None:
        raise HeatmarkError(f"{who} changed the {change}; it was put back, and what it gave is not used") from cause


class _Kept:
    """Networks, settings, and code that all share, as they are before a plug-in is called."""

    def __init__(self, given: Given) -> None:
        self._networks = [(network, kept_state(network.module)) for network in given.networks]
        self._code = kept_code(frozenset(kind for _, state in self._networks for kind in state.kinds))
        records: tuple[Network | Plugin, ...] = (*given.networks, *given.plugins)
        self._settings = [(own, {field.name: getattr(own, field.name) for field in fields(own)}) for own in records]
        self._tensors = given.tensors

    def put_back(self) -> str | None:
        """Everything as it was; what had been changed, None where nothing was."""
        # First of all: whatever is called from here on would run through it.
        change = None
        if changed := self._code.changes():
            self._code.put_back()
            change = changed[0]
        for record, settings in self._settings:
            for name, value in settings.items():
                if getattr(record, name, None) is not value:
                    object.__setattr__(record, name, value)
                    change = f"setting {name!r} of {record.name!r}"
        for network, state in self._networks:
            if found := state.changes():
                state.put_back()
                blamed = self._not_its_own(network, state, found)
                change = f"{blamed[0]} of network {network.name!r}" if blamed else change
        for name, (tensor, before) in self._tensors.items():
            if tensor.shape != before.shape or tensor.dtype != before.dtype or not same_bits(tensor, before):
                change = name
        return change

    def _not_its_own(self, network: Network, state: NetworkState, found: Sequence[str]) -> list[str]:
        """What of these changes the network does not make itself whenever it is used, such as features that it keeps.

        What it did not have before counts for nothing.
        """
        blamed = [what for what in found if not what.startswith(NEW)]
        images = next((before for name, (_, before) in self._tensors.items() if name.startswith("images")), None)
        if images is None or not any(what.startswith("attribute") for what in blamed):
            return blamed
        shown = images[:1].clone().requires_grad_()
        with shared_settings_kept(), torch.enable_grad():
            output = network.module(shown)
            if isinstance(output, Tensor) and output.requires_grad:
                torch.autograd.grad(output.sum(), shown, allow_unused=True)
        own = state.changes()
        state.put_back()
        return [what for what in blamed if what not in own]


def request_to_give(network: Network, request: Request, *plugins: Plugin) -> tuple[Request, Given]:
    """A copy of a request for a plug-in, and what is to be watched."""
    copied = _copied(request)
    return copied, Given((network,), plugins, _tensors(copied, request))


def explained_to_give(explained: Explained, *plugins: Plugin) -> tuple[Explained, Given]:
    """A copy of an explanation for a plug-in, and what is to be watched."""
    copied = replace(
        explained,
        request=_copied(explained.request),
        attributions=explained.attributions.detach().clone(),
        heatmaps=explained.heatmaps.detach().clone(),
        clean=explained.clean.detach().clone(),
        fixations=explained.fixations and tuple(points.clone() for points in explained.fixations),
        fixation_pool=None if explained.fixation_pool is None else explained.fixation_pool.clone(),
    )
    tensors = _tensors(copied.request, explained.request)
    tensors |= {name: (getattr(copied, key), getattr(explained, key)) for name, key in _OF_EXPLAINED.items()}
    for row, pair in enumerate(zip(copied.fixations or (), explained.fixations or (), strict=True)):
        tensors[f"fixations of image {row}"] = pair
    if copied.fixation_pool is not None and explained.fixation_pool is not None:
        tensors["fixation pool"] = copied.fixation_pool, explained.fixation_pool
    return copied, Given((explained.network,), (explained.method, *plugins), tensors)


def compared_to_give(compared: Compared, *plugins: Plugin) -> tuple[Compared, Given]:
    """A copy of what several networks explain for a plug-in, and what is to be watched."""
    pairs = [explained_to_give(own, *plugins) for own in compared.explained]
    copied = replace(compared, explained=tuple(own for own, _ in pairs), outputs=compared.outputs.clone())
    tensors = {"outputs": (copied.outputs, compared.outputs)}
    for own, given in pairs:
        tensors |= {f"{name} of network {own.network.name!r}": pair for name, pair in given.tensors.items()}
    networks = tuple(own.network for own in compared.explained)
    return copied, Given(networks, tuple(one for _, given in pairs for one in given.plugins), tensors)


_OF_EXPLAINED = {"heatmaps": "heatmaps", "attributions": "attributions", "clean logits": "clean"}
_OF_REQUEST = ("images", "targets", "truth", "references")


def _copied(request: Request) -> Request:
    return replace(
        request,
        images=request.images.detach().clone(),
        targets=request.targets.clone(),
        truth=None if request.truth is None else request.truth.clone(),
        references=None if request.references is None else request.references.clone(),
    )


def _tensors(copied: Request, request: Request) -> dict[str, tuple[Tensor, Tensor]]:
    pairs = {name: (getattr(copied, name), getattr(request, name)) for name in _OF_REQUEST}
    return {name: (own, before) for name, (own, before) in pairs.items() if before is not None}
