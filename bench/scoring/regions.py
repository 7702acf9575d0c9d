"""Images in parts: a grid of cells, groups of pixels of like rank, and sums of maps in them."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.api import Explained
from bench.functional.heatmaps import ranks


def grid_cells(images: Tensor, rows: int) -> Tensor:
    """The number of each pixel's cell in a grid of `rows` x `rows` cells as equal as can be, int64 (height, width).

    For images (..., height, width); fewer cells where they have fewer pixels.
    """
    height, width = images.shape[-2:]
    down, across = (torch.arange(size, device=images.device) * min(rows, size) // size for size in (height, width))
    return down[:, None] * min(rows, width) + across


def pixel_order(explained: Explained) -> Tensor:
    """The rank of each pixel (batch, height, width), 0 for the highest; ties are broken at random."""
    noise = explained.rng.of("ties").uniform(explained.heatmaps.shape[1:], explained.heatmaps)
    return ranks(explained.heatmaps, noise)


def rank_groups(explained: Explained, groups: int) -> Tensor:
    """The group of each pixel (batch, height, width), int64: 0 holds the highest pixels, all are as large as can be.

    Ties are broken at random.
    """
    order = pixel_order(explained).long()
    pixels = order[0].numel()
    return order * min(groups, pixels) // pixels


def group_sums(maps: Tensor, groups: Tensor) -> Tensor:
    """Sums (batch, groups), float64, of maps (batch, height, width) over groups, (height, width) or one per image."""
    flat = groups.expand(maps.shape).flatten(1)
    sums = torch.zeros(len(maps), int(groups.max()) + 1, dtype=torch.float64, device=maps.device)
    return sums.scatter_add_(1, flat, maps.double().flatten(1))


def without_groups(images: Tensor, groups: Tensor, fill: Tensor | float = 0.0) -> Iterator[Tensor]:
    """The images (batch, channel, height, width) without their first group, without their second, ..."""
    fill, own = _like(images, fill, images.dtype), _like(images, groups, torch.int32)
    for number in range(int(groups.max()) + 1):
        yield torch.where(own == number, fill, images)


def without_first(images: Tensor, turns: Tensor, fill: Tensor | float = 0.0) -> Iterator[Tensor]:
    """The images without what goes at turn 0, without turns 0 and 1, ...; `turns` (batch, height, width)."""
    fill, own = _like(images, fill, images.dtype), _like(images, turns, torch.int32)
    for last in range(int(turns.max()) + 1):
        yield torch.where(own <= last, fill, images)


def turns_of_cells(explained: Explained, cells: Tensor) -> Tensor:
    """At which turn each pixel goes (batch, height, width) where cells go whole, the highest mean first.

    Cells of one mean go in random order.
    """
    sums, sizes = (group_sums(maps, cells) for maps in (explained.heatmaps, torch.ones_like(explained.heatmaps)))
    means = sums / sizes
    noise = explained.rng.of("ties").uniform((1, means.shape[1]), means)
    turn = ranks(means[:, None], noise)[:, 0].long()
    return turn.gather(1, cells.flatten().expand(len(turn), -1)).reshape(explained.heatmaps.shape)


def _like(images: Tensor, values: Tensor | float, dtype: torch.dtype) -> Tensor:
    """Values per image, pixel or (batch, height, width), for each channel and in the memory layout of the images.

    Choosing from what lies alike takes half the time that it takes where channels are to be spread each time.
    """
    if not isinstance(values, Tensor):
        return torch.full((), values, dtype=dtype, device=images.device)
    spread = values if values.ndim == 4 else values.reshape(-1, 1, *values.shape[-2:])
    return torch.empty_like(images[: len(spread)], dtype=dtype).copy_(spread)
