"""Parts of an image that are planted in it: where they are, what the network loses without them, what a map gives them.

A truth map shows parts by its levels: each has one of its own, 0 is the rest of the image. A part goes where the data
set has images without it (`Request.without`, as of `funny_birds`); else it is put to zero in normalised space, which is
exact where that is the colour of the background (`planted_parts`).
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
    """What each output loses without one part alone, float64 (batch, part, output); 0 for parts that are not there.

    NaN for all of an image of which a version has an output that is no number.

    And for the rest of the image where the data set has images without parts: it has none without the rest.
    """
    count = int(parts.max()) + 1
    if explained.request.without is None:
        versions = list(without_groups(explained.images, parts))
    else:
        versions = [without_parts(explained, parts, torch.arange(count) == part) for part in range(count)]
    shown = outputs_of(explained, torch.stack(versions))
    effects = explained.clean.double()[:, None] - shown.transpose(0, 1)
    tiny = ROUNDING * effects.abs().amax((1, 2), keepdim=True)
    return effects.where(effects.abs() > tiny, 0 * tiny)


def without_parts(explained: Explained, parts: Tensor, gone: Tensor) -> Tensor:
    """The images without these parts, bool (batch, part) or (part,); never without the rest where there are none so."""
    images, gone = explained.images, gone.to(parts.device).expand(len(parts), -1)
    if explained.request.without is None:
        hidden = gone.gather(1, parts.flatten(1)).view_as(parts)
        return images.where(~hidden[:, None], 0)
    found = []
    for row, without in enumerate(explained.request.without):
        levels = _levels(explained.truth[row])
        named = tuple(level for level, own in zip(levels[1:], gone[row, 1:].tolist(), strict=False) if own)
        found.append(without(named).to(images) if named else images[row])
    return torch.stack(found)


def _levels(truth: Tensor) -> list[float]:
    """The level of each part of a truth map by number, that of the rest first."""
    found: list[float] = truth.unique().tolist()
    return found if found[0] <= 0 else [0.0, *found]


def outputs_of(explained: Explained, shown: Tensor) -> Tensor:
    """All outputs, float64 (version, batch, output), of versions of the images (version, batch, channel, ...).

    NaN for what is infinite.
    """
    with forwards_only(explained.network, explained.images) as ready:
        found = forward(ready, shown.flatten(0, 1), explained.network.chunk)[0]
    return found.where(found.isfinite(), torch.nan).double().reshape(*shown.shape[:2], -1)


def part_shares(attributions: Tensor, parts: Tensor) -> Tensor:
    """Attributions (batch, channel, height, width) over each part, signed, as shares of their absolute sum.

    float64 (batch, part); zeros where there are none, NaN where one is no number. What cancels to rounding counts as
    zero.
    """
    signed = attributions.double().sum(1)
    sums, sizes = group_sums(signed, parts), group_sums(signed.abs(), parts)
    sums = sums.where(sums.abs() > 1e-9 * sizes, 0 * sizes)
    return sums / sums.abs().sum(1, keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)


def scored_where(score: Tensor, good: Tensor, reason: str, curve: Tensor | None = None) -> Scored:
    """The scores (batch,) of the images that are good, the others without one for this reason."""
    status = tuple(OK if own else reason for own in good.tolist())
    return Scored(score.where(good, torch.nan), curve, status)
