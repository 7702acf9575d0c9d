"""Maps cut into square patches, as group-sparse training and group sparsity do."""

import torch.nn.functional as F
from torch import Tensor


def patch_norms(maps: Tensor, patches: int) -> Tensor:
    """L2 norms (batch, channel, rows, columns) of the patches of maps (batch, channel, height, width).

    A patch is side // `patches` pixels long, one at least (14 of 224 for 16). Where that leaves a remainder the last
    patches are smaller, and there are more than `patches` of them.

    Gong et al., 2024, arXiv:2404.04647.

    >>> patch_norms(torch.ones(1, 1, 4, 4), patches=2).tolist()
    [[[[2.0, 2.0], [2.0, 2.0]]]]
    """
    height, width = _patch(maps, patches)
    filled = F.pad(maps, (0, -maps.shape[3] % width, 0, -maps.shape[2] % height))
    return filled.unfold(2, height, height).unfold(3, width, width).square().sum((4, 5)).sqrt()


def patches_to_pixels(norms: Tensor, maps: Tensor, patches: int) -> Tensor:
    """The value of each pixel's patch, in the shape of `maps` (batch, channel, height, width).

    `norms` (batch, channel, rows, columns) as `patch_norms` returns them.

    >>> patches_to_pixels(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]), torch.zeros(1, 1, 4, 4), 2)[0, 0].tolist()
    [[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0], [3.0, 3.0, 4.0, 4.0], [3.0, 3.0, 4.0, 4.0]]
    """
    height, width = _patch(maps, patches)
    pixels = norms.repeat_interleave(height, 2).repeat_interleave(width, 3)
    return pixels[:, :, : maps.shape[2], : maps.shape[3]]


def _patch(maps: Tensor, patches: int) -> tuple[int, int]:
    height, width = maps.shape[2:]
    return max(height // patches, 1), max(width // patches, 1)
