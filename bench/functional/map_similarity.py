"""How much of a heatmap is left in another heatmap of the same image."""

from typing import Literal

import torch
from torch import Tensor

from bench.functional.correlation import spearman
from bench.functional.heatmaps import min_max
from bench.functional.ranking import share_in_top
from bench.functional.structural_similarity import ssim

Similarity = Literal["spearman", "ssim", "top_k", "relative_l2"]


def similarity(before: Tensor, after: Tensor, kind: Similarity, top: float) -> Tensor:
    """Similarity (batch,), float64, of heatmaps (batch, height, width); 1 when they are the same.

    spearman: rank correlation, 0 where one map is constant; ssim: of both maps scaled to [0, 1];
    top_k: the share of the highest `top` of the pixels that stays, expected over ties; relative_l2: one minus the
    length of the difference over the length of `before` (where that is zero: 1 if nothing changed, else 0).
    NaN where one of the maps is not finite. Ghorbani et al., 2019, arXiv:1710.10547 (spearman, top_k).

    >>> before, after = torch.tensor([[[4.0, 3.0, 2.0, 1.0]]]), torch.tensor([[[4.0, 1.0, 2.0, 3.0]]])
    >>> round(similarity(before, after, "spearman", top=0.5).item(), 6)
    0.2
    >>> similarity(before, after, "top_k", top=0.5).tolist()
    [0.5]
    """
    finite = before.flatten(1).isfinite().all(1) & after.flatten(1).isfinite().all(1)
    return _similarity(before, after, kind, top).where(finite, torch.nan)


def _similarity(before: Tensor, after: Tensor, kind: Similarity, top: float) -> Tensor:
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
    """Share (batch,) of the highest `top` of the pixels (at least one) that is still there, expected over ties.

    Ghorbani et al., 2019, arXiv:1710.10547.

    >>> top_intersection(torch.tensor([[[4.0, 3.0, 2.0, 1.0]]]), torch.tensor([[[4.0, 1.0, 2.0, 3.0]]]), 0.5).tolist()
    [0.5]
    """
    own = top_set(before, top)
    return (own * top_set(after, top)).flatten(1).sum(1) / own.flatten(1).sum(1)


def top_set(maps: Tensor, top: float) -> Tensor:
    """The probability of each pixel of maps (batch, height, width) to be in the highest `top` of its map, float64.

    At least one pixel is; those tied at the edge share what is left.

    >>> top_set(torch.tensor([[[3.0, 2.0, 2.0, 1.0]]]), 0.5).tolist()
    [[[1.0, 0.5, 0.5, 0.0]]]
    """
    count = max(1, round(top * maps[0].numel()))
    return share_in_top(maps, torch.full((len(maps),), count, device=maps.device))


def relative_distance(before: Tensor, after: Tensor) -> Tensor:
    """The length of the change over the length of `before` (batch,), float64; 1 where something grew from zero.

    NaN or infinite where `after` is not finite.

    >>> relative_distance(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), torch.tensor([[3.0, 2.0], [0.0, 5.0]])).tolist()
    [0.4, 1.0]
    """
    length = before.double().flatten(1).norm(dim=1)
    moved = (after.double() - before.double()).flatten(1).norm(dim=1)
    grown = (moved > 0).double() + 0 * moved
    return torch.where(length > 0, moved / length.clamp_min(torch.finfo(torch.float64).tiny), grown)
