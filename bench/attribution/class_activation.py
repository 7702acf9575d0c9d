"""The part of a network that class activation maps look at, and what happens there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bench.api import Network
from bench.api.module_state import unwrapped
from bench.attribution.gradients import target_values
from bench.errors import UnsupportedError, nearest

_LEAST_WAY = 0.1  # of the image: of places it is .4 and more, of channels .05 and less


@dataclass(frozen=True)
class Features:
    """The maps of a layer (batch, maps, height, width), the gradients of the target logits there, and the logits."""

    maps: Tensor
    gradients: Tensor
    logits: Tensor


def features_of(network: Network, images: Tensor, targets: Tensor, layer: str = "") -> Features:
    """The feature maps of a named layer, by default the last spatial map on the way to the output, and the gradients.

    The default is the last map that any operation gives, whether the network calls a module or a function for it. Maps
    are taken as they were then, before what follows works on them in place, and as (batch, maps, height, width) also
    where the network has channels last. Raises UnsupportedError naming the network when it has no such layer, or goes
    on with tokens after it (a transformer), when it has no layer of that name, and when nothing tells height and width
    of its map from channels.
    """
    own = replace(network, module=unwrapped(network.module))
    watching = _Watching(images.shape, named=bool(layer))
    images = images.detach().requires_grad_()
    with _hooked(own, layer, watching), watching:
        values = target_values(own, images, targets)
    found = watching.found
    if found is None or watching.tokens_after:
        raise UnsupportedError(f"network {network.name!r} does not end in a spatial map: nothing for a CAM to look at")
    (gradients,) = torch.autograd.grad(values.sum(), found)
    last = _has_channels_last(found, images)
    if last is None:
        raise UnsupportedError(
            f"network {network.name!r}: its map of shape {tuple(found.shape[1:])} does not show which dimensions are "
            "height and width; name another layer (`layer`), or give images of another size"
        )
    maps, gradients = (part.permute(0, 3, 1, 2) if last else part for part in (found.detach(), gradients))
    exact = torch.promote_types(maps.dtype, torch.float32)
    return Features(maps.to(exact), gradients.to(exact), values.detach())


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


class _Watching(TorchFunctionMode):
    """Keeps the last spatial map of a forward pass, and hands a copy on, so that nothing works on it in place."""

    def __init__(self, shape: torch.Size, *, named: bool) -> None:
        super().__init__()
        self.shape, self.named = shape, named
        self.found: Tensor | None = None
        self.copy: Tensor | None = None
        self.tokens_after = False

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if self.named or not isinstance(result, Tensor) or not result.requires_grad:
            return result
        if result.ndim != 4 or result.shape[1:] == self.shape[1:] or not _is_spatial(result.shape, self.shape):
            return result
        fresh = not result._is_view() and not any(result is part for part in args)
        self.found, self.tokens_after = result, False
        self.copy = result.clone() if fresh else result
        return self.copy

    def watch(self, _: nn.Module, __: tuple[Tensor, ...], output: object) -> Tensor | None:
        """A hook behind a layer: keep its map, unless it is the one that is kept already."""
        if not isinstance(output, Tensor) or not output.requires_grad:
            return None
        if output.ndim == 3:
            self.tokens_after = True
        spatial = output.ndim == 4 and output.shape[2] * output.shape[3] > 1
        if not spatial or (output is self.copy and not self.named):
            return None
        self.found, self.tokens_after = output, False
        self.copy = output.clone()
        return self.copy


def _is_spatial(shape: torch.Size, image: torch.Size) -> bool:
    """Whether a map (batch, 4 dimensions) is about of the shape of an image in the dimensions that are more like it."""
    middle, last = (abs(shape[at] * image[3] - shape[at + 1] * image[2]) for at in (1, 2))
    nearer = middle < last and middle <= max(image[2:]) and shape[1] * shape[2] > 1
    return _fits(shape[1:3] if nearer else shape[2:], image)


def _fits(size: torch.Size, image: torch.Size) -> bool:
    """Whether (height, width) is about the shape of an image: more than one place, and no more than the image."""
    height, width = size
    ratio = (height * image[3]) / (width * image[2])
    return height * width > 1 and height <= image[2] and width <= image[3] and 1 / 3 <= ratio <= 3


def _has_channels_last(maps: Tensor, images: Tensor) -> bool | None:
    """Whether maps made from images are (batch, height, width, channel) and not (batch, channel, height, width).

    Where both would be about of the image's shape, that one whose dimensions look at different parts of the image:
    the later columns of a map are made from what lies further to the right, the later channels are not. None where
    neither stands out.
    """
    first, last = (_fits(size, images.shape) for size in (maps.shape[2:], maps.shape[1:3]))
    if first != last:
        return last
    as_columns, as_rows = _way(maps, 3, images, 3), _way(maps, 1, images, 2)
    if max(as_columns, as_rows) < _LEAST_WAY or max(as_columns, as_rows) < 2 * min(as_columns, as_rows):
        return None
    return as_rows > as_columns


def _way(maps: Tensor, dim: int, images: Tensor, along: int) -> float:
    """How far apart, as a share of the image, the centres lie of what the two halves of a dimension are made from.

    The centre of a half that is made from nothing, such as one that a ReLU cuts off, is that of the image.
    """
    length = maps.shape[dim]
    if length < 2:
        return 0.0
    # Varied weights: the features of a place may sum to a constant, after a layer normalisation.
    weights = torch.arange(maps[0].numel(), device=maps.device).cos().view(maps.shape[1:]).to(maps.dtype)
    centres = []
    for start in (0, length - length // 2):
        part, own = (tensor.narrow(dim - less, start, length // 2) for tensor, less in ((maps, 0), (weights, 1)))
        (gradients,) = torch.autograd.grad((part * own).sum(), images, retain_graph=True, allow_unused=True)
        if gradients is None or not gradients.any():
            centres.append(0.5)
            continue
        energy = (gradients.double() / gradients.abs().max()).square().transpose(along, 0).flatten(1).sum(1)
        places = torch.linspace(0, 1, len(energy), dtype=energy.dtype, device=energy.device)
        centres.append(float((energy * places).sum() / energy.sum()))
    return centres[1] - centres[0]


@contextmanager
def _hooked(network: Network, layer: str, watching: _Watching) -> Iterator[None]:
    parts = {name: part for name, part in network.module.named_modules() if name}
    if layer and layer not in parts:
        raise UnsupportedError(f"network {network.name!r} has no layer {layer!r}; {nearest(layer, parts)}")
    chosen = [part for name, part in parts.items() if not layer or name == layer]
    handles = [part.register_forward_hook(watching.watch) for part in chosen]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
