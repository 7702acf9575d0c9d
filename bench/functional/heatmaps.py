"""From attributions to heatmaps, and from heatmaps to rank maps: the one place for channels and ties."""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Reduction = Literal["absolute_sum", "sum_absolute", "sum", "positive_sum"]
Ties = Literal["last", "first", "random"]
# Numbers of eight bytes that stay in the cache while they are sorted.
_SORTED_TOGETHER = 2**16


def reduce_channels(attributions: Tensor, reduction: Reduction) -> Tensor:
    """Heatmaps (batch, height, width) of attributions (batch, channel, height, width).

    absolute_sum: sum of |a| over channels (AdvGrad, arXiv:2404.04647); sum_absolute: |sum of a| (GNL);
    sum: signed; positive_sum: the sum, negative parts cut off.

    >>> attributions = torch.tensor([1.0, -3.0]).reshape(1, 2, 1, 1)
    >>> [reduce_channels(attributions, how).item() for how in ("absolute_sum", "sum_absolute", "sum", "positive_sum")]
    [4.0, 2.0, -2.0, 0.0]
    """
    match reduction:
        case "absolute_sum":
            return attributions.abs().sum(1)
        case "sum_absolute":
            return attributions.sum(1).abs()
        case "sum":
            return attributions.sum(1)
        case "positive_sum":
            return attributions.sum(1).clamp_min(0)


def ranks(heatmaps: Tensor, noise: Tensor | None = None) -> Tensor:
    """Rank maps (batch, height, width), int32: 0 where the heatmap is highest; ties as in `pixels_by_rank`.

    >>> ranks(torch.tensor([[[0.1, 0.9], [0.5, 0.9]]])).tolist()
    [[[3, 1], [2, 0]]]
    """
    batch, height, width = heatmaps.shape
    positions = torch.arange(height * width, dtype=torch.int32, device=heatmaps.device).expand(batch, -1)
    order = pixels_by_rank(heatmaps, noise)
    return torch.empty_like(positions).scatter_(1, order, positions).reshape(batch, height, width)


def pixels_by_rank(heatmaps: Tensor, noise: Tensor | None = None) -> Tensor:
    """Flat positions of the pixels of heatmaps (batch, height, width), the highest first, (batch, pixels).

    Ties: without `noise` from the highest flat index to the lowest (a stable ascending sort, flipped;
    the deterministic form of the RISE protocol, arXiv:1806.07421); with `noise` (batch, height, width) by its size.

    >>> pixels_by_rank(torch.tensor([[[0.1, 0.9], [0.5, 0.9]]])).tolist()
    [[3, 1, 2, 0]]
    """
    flat = heatmaps.flatten(1)
    order = _ascending(flat)
    if noise is None:
        return order.flip(1)
    values = flat.gather(1, order)
    same = values[:, 1:] == values[:, :-1]
    follows, precedes = F.pad(same, (1, 0)), F.pad(same, (0, 1))
    # Few pixels of most maps are tied: only those are sorted again, by the run that they are in and by their noise.
    tied = (follows | precedes).flatten().nonzero()[:, 0]
    runs, sizes = (~follows).flatten().cumsum(0)[tied], noise.flatten(1).gather(1, order).flatten()[tied]
    by_size = sizes.argsort(stable=True)
    by_run = by_size[runs[by_size].argsort(stable=True)]
    numbers = order.flatten()
    numbers[tied] = numbers[tied][by_run]
    return numbers.reshape(order.shape).flip(1)


def _ascending(values: Tensor) -> Tensor:
    """What `values.argsort(dim=1, stable=True)` gives for (batch, values), several times faster in single precision.

    The bits of a number, put in the order of the numbers, and its place make one whole number: all differ, and torch
    sorts many of those by radix, fastest where they stay in the cache.
    """
    if values.dtype != torch.float32:
        return values.argsort(dim=1, stable=True)
    # Zero has two signs, which would tell two of them apart.
    bits = (values + 0.0).view(torch.int32)
    heights = (bits ^ (bits >> 31 & 0x7FFFFFFF)).long() + 2**31
    places = torch.arange(values.shape[1], device=values.device)
    width, found = len(places).bit_length(), []
    for some in heights.split(max(1, _SORTED_TOGETHER // max(1, len(places)))):
        rows = torch.arange(len(some), device=values.device)[:, None]
        keys = (rows << 32 | some) << width | places
        found.append(keys.flatten().sort().values.view(keys.shape) & (1 << width) - 1)
    return torch.cat(found)


def min_max(maps: Tensor) -> Tensor:
    """Maps scaled to [0, 1], each by itself over all its dimensions but the first; a constant map becomes 0.

    >>> min_max(torch.tensor([[2.0, 4.0, 6.0], [1.0, 1.0, 1.0]])).tolist()
    [[0.0, 0.5, 1.0], [0.0, 0.0, 0.0]]
    """
    flat = maps.reshape(maps.shape[0], -1)
    return _scaled(flat, flat.amax(1, keepdim=True)).reshape(maps.shape)


def for_display(heatmaps: Tensor) -> Tensor:
    """Heatmaps clipped at their 99th percentile and scaled to [0, 1] (AdvGrad, arXiv:2404.04647).

    For looking only: clipping ties the top 1% of the pixels, so no metric uses it. A constant map becomes 0.

    >>> shown = for_display(torch.arange(201.0).reshape(1, 1, 201))
    >>> shown[0, 0, [0, 99, 198, 200]].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    flat = heatmaps.reshape(heatmaps.shape[0], -1)
    top = torch.from_numpy(np.quantile(flat.cpu().numpy(), 0.99, axis=1, keepdims=True)).to(flat)
    return _scaled(flat, top).clamp(0, 1).reshape(heatmaps.shape)


def _scaled(flat: Tensor, top: Tensor) -> Tensor:
    low = flat.amin(1, keepdim=True)
    return (flat - low) / (top - low).clamp_min(torch.finfo(flat.dtype).tiny)
