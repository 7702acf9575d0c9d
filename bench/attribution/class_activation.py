"""The part of a network that class activation maps look at, and what happens there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bench.api import Network, Request
from bench.api.module_state import frozen_for_evaluation
from bench.attribution.insides import Insides, last_map, look
from bench.attribution.layouts import LAST, Layout

_BIAS_AT: dict[Any, int] = {F.conv2d: 2, F.linear: 2, F.layer_norm: 3, F.group_norm: 3, F.batch_norm: 4}


@dataclass(frozen=True)
class Features:
    """The maps of a layer (batch, maps, height, width), the gradients of the target logits there, and the logits.

    `number` is the how manieth thing that the network makes, `layout` how the maps lie there.
    """

    maps: Tensor
    gradients: Tensor
    logits: Tensor
    number: int
    layout: Layout


def features_of(network: Network, images: Tensor, targets: Tensor, layer: str = "", layout: str = "") -> Features:
    """The feature maps of a named layer, by default the last on the way to the output, and the gradients.

    They are found by `bench.attribution.insides`, or lie as the `layout` says (`layout_named`): maps with channels
    first or last, or tokens, of which those that are no places are left out. UnsupportedError where there are none.
    """
    seen = look(network, images, targets, layer)
    found = last_map(seen, layout)
    maps, gradients = (found.layout.maps(part) for part in (found.map.detach(), found.gradients))
    exact = torch.promote_types(maps.dtype, torch.float32)
    return Features(maps.to(exact), gradients.to(exact), seen.values.detach(), found.number, found.layout)


def logits_without_map(
    network: Network, images: Tensor, targets: Tensor, layer: str, seen: Features, numbers: Tensor
) -> Tensor:
    """The target logits (batch,) where one of the maps is 0 that were `seen` of the same layer: their `numbers`."""

    def without(made: Tensor) -> Tensor:
        left = seen.layout.maps(made).clone()
        left[torch.arange(len(left), device=left.device), numbers.to(left.device)] = 0
        return seen.layout.put(made, left)

    return look(network, images, targets, layer, {seen.number: without}).values.detach()


def count_maps(network: Network, request: Request, layer: str = "", layout: str = "") -> int:
    """How many maps `features_of` gives, outside of an explanation."""
    first = request.select([0])
    with torch.enable_grad(), frozen_for_evaluation(network.module):
        return features_of(network, first.images, first.targets, layer, layout).maps.shape[1]


def full_gradients(network: Network, images: Tensor, targets: Tensor) -> tuple[Tensor, list[Tensor], Insides]:
    """Image times gradient, the same of every bias, maps with channels first or tokens, and the network's insides.

    With the biases of what has no place they add up to the logit, where the network is linear but for its ReLUs.
    """
    biases = _Biases()
    with biases:
        seen = look(network, images, targets)
    inputs = [seen.images, *(result for result, _ in biases.met)]
    own, *others = torch.autograd.grad(
        seen.values.sum(), inputs, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    terms = [gradient * bias for gradient, (_, bias) in zip(others, biases.met, strict=True)]
    last = [result.ndim == 4 and bias.ndim < 3 for result, bias in biases.met]
    return own * images, [LAST.maps(term) if at_end else term for term, at_end in zip(terms, last, strict=True)], seen


def enlarged(maps: Tensor, like: Tensor) -> Tensor:
    """Maps (batch, any, height, width) enlarged to the size of images, bilinearly, corners not aligned.

    Between two equal values all are equal to the last bit, which F.interpolate does not see to: by the borders ranks
    would depend on its rounding, and so on the batch.
    """
    for dim in (2, 3):
        size, length = like.shape[dim], maps.shape[dim]
        centres = torch.arange(size, dtype=torch.float64, device=maps.device) + 0.5
        places = (centres * length / size - 0.5).clamp_min(0)
        low = places.long()
        weights = (places - low).to(maps.dtype).reshape(-1, *(1,) * (3 - dim))
        below, above = (maps.index_select(dim, rows) for rows in (low, (low + 1).clamp_max(length - 1)))
        maps = torch.lerp(below, above, weights)
    return maps


class _Biases(TorchFunctionMode):
    """Keeps what layers with biases give, and their biases, and hands a copy on."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func not in _BIAS_AT or result.ndim not in (3, 4) or result.grad_fn is None:
            return result
        bias = _argument(args, kwargs, _BIAS_AT[func], "bias")
        if func is F.batch_norm:
            mean, var, weight = (
                _argument(args, kwargs, at, n) for at, n in enumerate(("running_mean", "running_var", "weight"), 1)
            )
            bias = -mean * (1 if weight is None else weight) / (var + _argument(args, kwargs, 7, "eps")).sqrt() + (
                0 if bias is None else bias
            )
        if bias is None:
            return result
        channels_first = func in (F.conv2d, F.batch_norm, F.group_norm) and result.ndim == 4
        self.met.append((result, bias[:, None, None] if channels_first else bias))
        return result.clone()


def _argument(args: Sequence[Any], kwargs: dict[str, Any] | None, at: int, name: str) -> Any:
    """An argument by its place or its name."""
    return args[at] if len(args) > at else (kwargs or {}).get(name)
