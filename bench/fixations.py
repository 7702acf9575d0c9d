"""Fixation points as pixels."""

import torch
from torch import Tensor

from bench.handed import Explained


def pixels_of(fixations: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Row and column of each fixation (count, 4) that lies in the image; the others are left out."""
    columns, rows = fixations[:, 0].floor().long(), fixations[:, 1].floor().long()
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    return rows[inside], columns[inside]


def fixation_counts(explained: Explained) -> Tensor:
    """How often each pixel was fixated, int64, (batch, height, width)."""
    counts = torch.zeros(explained.heatmaps.shape, dtype=torch.int64, device=explained.heatmaps.device)
    for own, fixations in zip(counts, explained.fixations or (), strict=explained.fixations is not None):
        rows, columns = pixels_of(fixations.to(counts.device), *own.shape)
        own.index_put_((rows, columns), torch.ones_like(rows), accumulate=True)
    return counts
