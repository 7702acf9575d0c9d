"""Networks with weights set by hand, whose right attribution is known: the value of each pixel of the data set `pairs`.

Each adds up what single pixels, or pairs of pixels, give it, so that what a pixel contributes follows from the weights
alone: the value v of every red and every green pixel (its negative for green in `exact_counter_weight`), nothing for
all others. They differ in how they come to it, and so in the methods that miss it. After XAI-Units (Lee et al., 2025,
arXiv:2506.01059) and AttributionLab (Zhang et al., 2023, arXiv:2310.06514); weights and images are this project's.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

# How many columns a green pixel of a pair lies to the right of the red one.
APART = 4
# Points (v, f(v)) between which the networks are straight; both are v at 0, .5 and 1, the values of pixels.
STAIRCASE = ((0.125, 0.0), (0.375, 0.5), (0.625, 0.5), (0.875, 1.0), (2.0, 1.0))
ZIGZAG = ((0.0, 0.0), (0.125, 0.5), (0.25, 0.0), (0.375, 0.75), (0.625, 0.25), (0.75, 1.25), (0.875, 0.25), (2.0, 7.0))


def exact_linear(outputs: int) -> nn.Module:
    """Red plus green: a slope is no contribution."""
    return _summing(_reading([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), [1.0, 1.0], outputs)


def exact_counter_weight(outputs: int) -> nn.Module:
    """Two plus red minus green, behind a ReLU: what cuts negative gradients off loses what speaks against the class."""
    features = nn.Sequential(_reading([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), nn.ReLU())
    return _summing(features, [1.0, -1.0], outputs, constant=2.0)


def exact_saturated(outputs: int) -> nn.Module:
    """A staircase in red and in green: the gradient is zero at every value that a pixel has."""
    return _piecewise(STAIRCASE, outputs)


def exact_shattered(outputs: int) -> nn.Module:
    """A zigzag in red and in green: the gradient falls at one value and rises at another."""
    return _piecewise(ZIGZAG, outputs)


def exact_and(outputs: int) -> nn.Module:
    """Twice the smaller of the two pixels of a pair, as red - relu(red - green): the gradient runs through red alone.

    Both halves of a pair are needed and alike, so that by symmetry each contributes its value.
    """
    pairs = nn.Conv2d(3, 2, (1, APART + 1), padding=(0, APART // 2))
    with torch.no_grad():
        for part in (pairs.weight, pairs.bias):
            assert part is not None  # noqa: S101 - for the type checker
            part.zero_()
        pairs.weight[:, 0, 0, 0] = 2.0
        pairs.weight[1, 1, 0, APART] = -2.0
    return _summing(nn.Sequential(pairs, nn.ReLU()), [1.0, -1.0], outputs)


def exact_shift(outputs: int) -> nn.Module:
    """Red plus green of images that are shifted by -.5 and stretched by 4; the weights undo it.

    Black is not zero to it, so that whoever takes zero for "nothing there" gives the background a share (Kindermans
    et al., 2017, arXiv:1711.00867).
    """
    return _summing(_reading([0.25, 0.0, 0.0], [0.0, 0.25, 0.0], bias=[0.5, 0.5]), [1.0, 1.0], outputs)


EXACT: dict[str, Callable[[int], nn.Module]] = {
    own.__name__: own
    for own in (exact_linear, exact_counter_weight, exact_saturated, exact_and, exact_shattered, exact_shift)
}


def _piecewise(points: Sequence[tuple[float, float]], outputs: int) -> nn.Module:
    """The sum over red and green pixels of the function that is straight between the points."""
    slopes = [(y1 - y0) / (x1 - x0) for (x0, y0), (x1, y1) in pairwise(points)]
    bends = [after - before for before, after in pairwise([0.0, *slopes])]
    rows, bias, factors = [], [], []
    for channel in (0, 1):
        for (place, _), bend in zip(points, bends, strict=False):
            rows.append([float(channel == own) for own in range(3)])
            bias.append(-place)
            factors.append(bend)
    return _summing(nn.Sequential(_reading(*rows, bias=bias), nn.ReLU()), factors, outputs)


def _reading(*rows: Sequence[float], bias: Sequence[float] | None = None) -> nn.Module:
    """A convolution of one pixel with these weights of the channels in each row."""
    layer = nn.Conv2d(3, len(rows), 1)
    assert layer.bias is not None  # noqa: S101 - for the type checker
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(rows)[:, :, None, None])
        layer.bias.copy_(torch.tensor(bias if bias is not None else [0.0] * len(rows)))
    return layer


def _summing(features: nn.Module, factors: Sequence[float], outputs: int, constant: float = 0.0) -> nn.Module:
    """A constant plus the weighted mean over the features of all pixels as output 0; all other outputs are 0."""
    last = nn.Linear(len(factors), outputs)
    weights: Tensor = torch.zeros(outputs, len(factors))
    weights[0] = torch.tensor(factors)
    with torch.no_grad():
        last.weight.copy_(weights)
        last.bias.zero_()
        last.bias[0] = constant
    parts = list(features) if isinstance(features, nn.Sequential) else [features]
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
