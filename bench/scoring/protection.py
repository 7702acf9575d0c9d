"""Nobody poisons anybody: what a plug-in is given is as it was after every call, or the plug-in fails by name."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from bench.api import Explained, HeatmarkError, Network, Request
from bench.api.global_state import shared_settings_kept
from bench.api.network_state import NetworkState, kept_state, same_bits

Given = dict[str, Tensor]


@contextmanager
def unchanged(who: str, networks: Sequence[Network], given: Given) -> Iterator[None]:
    """The networks and tensors as they were outside, also after an exception; shared settings of the process too.

    HeatmarkError saying that `who` changed what, where something was changed: what the block computed must not be used.
    """
    states = [(network, kept_state(network.module)) for network in networks]
    before = {name: tensor.detach().clone() for name, tensor in given.items()}
    try:
        with shared_settings_kept():
            yield
    except (Exception, SystemExit) as error:
        _refuse(who, _put_back(states, given, before), error)
        raise
    except BaseException:
        _put_back(states, given, before)
        raise
    _refuse(who, _put_back(states, given, before), None)


def _refuse(who: str, change: str | None, cause: BaseException | None) -> None:
    if change is not None:
        raise HeatmarkError(f"{who} changed the {change}; it was put back, and what it gave is not used") from cause


def _put_back(states: Sequence[tuple[Network, NetworkState]], given: Given, before: Given) -> str | None:
    """Everything as it was; what had been changed, None where nothing was."""
    change = None
    for network, state in states:
        found = state.change()
        if found is not None:
            state.put_back()
            change = f"{found} of network {network.name!r}"
    for name, tensor in given.items():
        if tensor.shape != before[name].shape:
            tensor.data = before[name]
            change = name
        elif not same_bits(tensor, before[name]):
            with torch.inference_mode():
                tensor.copy_(before[name])
            change = name
    return change


def given_to_method(request: Request) -> Given:
    """The tensors of a request, by name."""
    named = {"images": request.images, "targets": request.targets, "truth": request.truth}
    named["references"] = request.references
    return {name: tensor for name, tensor in named.items() if tensor is not None}


def given_to_metric(explained: Explained) -> Given:
    """The tensors of an explanation, by name."""
    own = {"heatmaps": explained.heatmaps, "attributions": explained.attributions, "clean logits": explained.clean}
    points = {f"fixations of image {row}": points for row, points in enumerate(explained.fixations or ())}
    pool = {} if explained.fixation_pool is None else {"fixation pool": explained.fixation_pool}
    return {**given_to_method(explained.request), **own, **points, **pool}
