"""How much of a heatmap is left in another heatmap of the same image."""

from typing import Literal

import torch
from torch import Tensor

from bench.correlation import spearman, ssim
from bench.heatmaps import min_max
from bench.ranking import share_in_top

Similarity = Literal["spearman", "ssim", "top_k", "relative_l2"]


def similarity(before: Tensor, after: Tensor, kind: Similarity, top: float) -> Tensor:
    """Similarity (batch,), float64, of heatmaps (batch, height, width); 1 when they are the same.

    spearman: rank correlation, 0 where one map is constant; ssim: of both maps scaled to [0, 1];
    top_k: the share of the highest `top` of the pixels that stays, expected over ties; relative_l2: one minus the
    length of the difference over the length of `before` (where that is zero: 1 if nothing changed, else 0).
    """
    match kind:
        case "spearman":
            return spearman(before, after)
        case "ssim":
            return ssim(min_max(before.double()), min_max(after.double()))
        case "top_k":
            return top_intersection(before, after, top)
        case "relative_l2":
            return 1 - relative_distance(before, after)


def top_intersection(before: Tensor, after: Tensor, top: float) -> Tensor:
    """Share (batch,) of the highest `top` of the pixels (at least one) that is still there, expected over ties."""
    count = max(1, round(top * before[0].numel()))
    counts = torch.full((len(before),), count, dtype=torch.float64, device=before.device)
    return (share_in_top(before, counts) * share_in_top(after, counts)).flatten(1).sum(1) / count


def relative_distance(before: Tensor, after: Tensor) -> Tensor:
    """The length of the change over the length of `before` (batch,), float64; 1 where something grew from zero."""
    length = before.double().flatten(1).norm(dim=1)
    moved = (after.double() - before.double()).flatten(1).norm(dim=1)
    return torch.where(length > 0, moved / length.clamp_min(torch.finfo(torch.float64).tiny), (moved > 0).double())
