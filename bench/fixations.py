"""Fixation points as pixels."""

import torch
from torch import Tensor

from bench.handed import Explained


def counts_at(fixations: Tensor, like: Tensor) -> Tensor:
    """How often each pixel was fixated, int64, for fixations (count, 4), on a map like `like` (height, width).

    A fixation belongs to the pixel that it lies in; those outside are left out.
    """
    height, width = like.shape
    columns, rows = fixations[:, :2].to(like.device).floor().long().unbind(1)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    pixels = rows[inside] * width + columns[inside]
    return torch.bincount(pixels, minlength=height * width).reshape(height, width)


def fixation_counts(explained: Explained) -> Tensor:
    """How often each pixel of each image was fixated, int64, (batch, height, width)."""
    if explained.fixations is None:
        return torch.zeros(explained.heatmaps.shape, dtype=torch.int64, device=explained.heatmaps.device)
    return torch.stack([counts_at(own, explained.heatmaps[0]) for own in explained.fixations])
