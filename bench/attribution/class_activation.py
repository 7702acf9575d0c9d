"""The part of a network that class activation maps look at, and what happens there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from bench.api import Network
from bench.attribution.gradients import target_values
from bench.errors import UnsupportedError, nearest


@dataclass
class _Seen:
    """What a forward pass shows: the latest spatial map, and whether tokens came after it."""

    features: Tensor | None = None
    tokens_after: bool = field(default=False)


@dataclass(frozen=True)
class Features:
    """The maps of a layer (batch, maps, height, width), the gradients of the target logits there, and the logits."""

    maps: Tensor
    gradients: Tensor
    logits: Tensor


def features_of(network: Network, images: Tensor, targets: Tensor, layer: str = "") -> Features:
    """The feature maps of a named layer, by default the last with a spatial map, and the gradients there.

    Raises UnsupportedError naming the network when it has no such layer, or goes on with tokens after it (a
    transformer), and HeatmarkError when it has no layer of that name.
    """
    with _watched(network, layer) as seen:
        values = target_values(network, images.detach().requires_grad_(), targets)
    if seen.features is None or seen.tokens_after:
        raise UnsupportedError(f"network {network.name!r} does not end in a spatial map: nothing for a CAM to look at")
    (gradients,) = torch.autograd.grad(values.sum(), seen.features)
    return Features(seen.features.detach(), gradients, values.detach())


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


@contextmanager
def _watched(network: Network, layer: str) -> Iterator[_Seen]:
    parts = {name: part for name, part in network.module.named_modules() if name}
    if layer and layer not in parts:
        raise UnsupportedError(f"network {network.name!r} has no layer {layer!r}; {nearest(layer, parts)}")
    seen = _Seen()

    def watch(_: nn.Module, __: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.requires_grad:
            if output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
                seen.features, seen.tokens_after = output, False
            elif output.ndim == 3:
                seen.tokens_after = True

    handles = [part.register_forward_hook(watch) for name, part in parts.items() if not layer or name == layer]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()
