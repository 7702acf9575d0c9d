"""Parts of an image that are planted in it: where they are, what the network loses without them, what a map gives them.

A truth map shows parts by its levels: each has one of its own, 0 is the rest of the image. A part is taken away by
putting it to zero in normalised space, which is exact where that is the colour of the background (`planted_parts`).
"""

import torch
from torch import Tensor

from bench.api import OK, Explained, Request, Scored
from bench.engine.predict import forward, forwards_only
from bench.errors import HeatmarkError
from bench.scoring.regions import group_sums, without_groups

MOST = 31
# What is less than this share of the largest effect is rounding.
ROUNDING = 1e-5


def parts_of(truth: Tensor) -> Tensor:
    """The number of the part at each pixel, int64, of truth maps (batch, height, width): 0 is the rest, then by level.

    HeatmarkError where an image has more than 31 levels: then the map is none of parts, or was resized.
    """
    found = torch.stack([own.unique(return_inverse=True)[1] + int(own.amin() > 0) for own in truth])
    if int(found.max()) > MOST:
        raise HeatmarkError(
            f"a truth map of {int(found.max())} levels: expected one for each part, {MOST} at most, "
            "in images of the size that the network takes"
        )
    return found


def most_parts(request: Request) -> int:
    """How many parts an image has at most, the rest being one of them; 2 where truth maps are not known."""
    return 2 if request.truth is None else int(parts_of(request.truth).max()) + 1


def part_effects(explained: Explained, parts: Tensor) -> Tensor:
    """What each output loses without one part alone, float64 (batch, part, output); 0 for parts that are not there."""
    shown = outputs_of(explained, torch.stack(list(without_groups(explained.images, parts))))
    effects = explained.clean.double()[:, None] - shown.transpose(0, 1)
    tiny = ROUNDING * effects.abs().amax((1, 2), keepdim=True)
    return effects.where(effects.abs() > tiny, 0.0)


def outputs_of(explained: Explained, shown: Tensor) -> Tensor:
    """All outputs, float64 (version, batch, output), of versions of the images (version, batch, channel, ...)."""
    with forwards_only(explained.network, explained.images) as ready:
        found = forward(ready, shown.flatten(0, 1), explained.network.chunk)[0]
    return found.double().reshape(*shown.shape[:2], -1)


def part_shares(attributions: Tensor, parts: Tensor) -> Tensor:
    """Attributions (batch, channel, height, width) over each part, signed, as shares of their absolute sum.

    float64 (batch, part); zeros where there are none. What cancels to rounding counts as zero.
    """
    signed = attributions.double().sum(1)
    sums, sizes = group_sums(signed, parts), group_sums(signed.abs(), parts)
    sums = sums.where(sums.abs() > 1e-9 * sizes, 0.0)
    return sums / sums.abs().sum(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


def scored_where(score: Tensor, good: Tensor, reason: str, curve: Tensor | None = None) -> Scored:
    """The scores (batch,) of the images that are good, the others without one for this reason."""
    status = tuple(OK if own else reason for own in good.tolist())
    return Scored(score.where(good, torch.nan), curve, status)
