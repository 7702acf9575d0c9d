"""Networks with weights set by hand for `planted_parts`: what each part gives a class is known, and is all there is.

Both see a kind of part by its colour and give a class 4, 3, 2 or 1 for the part in its first to fourth slot, nothing
for anything else. They expect images less .5 and over .25, of 64 x 64 pixels.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bench.data.part_kinds import AREA, CLASSES, EFFECTS, KINDS, SATURATION, SIDE, directions, kinds_of
from bench.errors import HeatmarkError

_STD = 0.25
# Of two kinds next to each other on the icosahedron one looks .45 like the other; at .6 nothing else is seen.
_SEEN = 0.6


def exact_parts(outputs: int) -> nn.Module:
    """What a part gives grows with its pixels: half a part is half of it."""
    last = nn.Linear(KINDS, _checked(outputs))
    _set(last, _effects() * SIDE**2 / AREA, torch.zeros(outputs))
    return nn.Sequential(_colours(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)


def exact_saturated_parts(outputs: int) -> nn.Module:
    """Half a part is as good as a whole one: with a whole one there every gradient is zero."""
    missing, last = nn.Linear(KINDS, KINDS), nn.Linear(KINDS, _checked(outputs))
    _set(missing, -2 * torch.eye(KINDS) * SIDE**2 / AREA, torch.ones(KINDS))
    _set(last, -_effects(), _effects().sum(1))
    seen = (_colours(), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Sequential(*seen, missing, nn.ReLU(), last)


PARTS: dict[str, Callable[[int], nn.Module]] = {own.__name__: own for own in (exact_parts, exact_saturated_parts)}


def _checked(outputs: int) -> int:
    if outputs != CLASSES:
        raise HeatmarkError(f"networks for planted_parts have {CLASSES} outputs, expected {outputs}")
    return outputs


def _colours() -> nn.Module:
    """1 at each pixel of a kind in its channel, nothing elsewhere once it has gone through a ReLU."""
    layer, full = nn.Conv2d(3, KINDS, 1), SATURATION / _STD * (1 - _SEEN)
    _set(layer, (directions() / full)[:, :, None, None], torch.full((KINDS,), -_SEEN / (1 - _SEEN)))
    return layer


def _effects() -> Tensor:
    """What each kind gives each class, (class, kind)."""
    weights = torch.zeros(CLASSES, KINDS)
    for label in range(CLASSES):
        weights[label, list(kinds_of(label))] = torch.tensor(EFFECTS)
    return weights


def _set(layer: nn.Linear | nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    assert layer.bias is not None  # noqa: S101 - for the type checker
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
