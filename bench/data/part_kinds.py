"""The parts in images of `planted_parts`, and what each of them does for a class by construction.

A class has one of three kinds of part in each of four slots, chosen by the tetracode: two classes have at most one kind
in common, so that one part alone tells no class and any two parts tell it. Kinds differ in colour alone: the corners of
an icosahedron around grey, as far from each other as twelve colours can be.
"""

from itertools import product

import torch
from torch import Tensor

SLOTS, VARIANTS = 4, 3
KINDS = SLOTS * VARIANTS
CLASSES = VARIANTS**2
# What the output of a class loses with the part in each slot.
EFFECTS = (4.0, 3.0, 2.0, 1.0)
# Height and width of the part in each slot: forms differ, the number of pixels does not.
FORMS = ((10, 10), (5, 20), (20, 5), (4, 25))
AREA = 100
SIDE = 64
GREY = 0.5
SATURATION, PALE = 0.45, 0.3
_GOLDEN = (1 + 5**0.5) / 2


def kinds_of(label: int) -> tuple[int, ...]:
    """The kind of part, from 0 to 11, that a class has in each slot."""
    first, second = divmod(label, VARIANTS)
    word = (first, first + second, first + 2 * second, second)
    return tuple(VARIANTS * slot + variant % VARIANTS for slot, variant in enumerate(word))


def directions() -> Tensor:
    """Of each kind where its colour lies as seen from grey, unit vectors (kind, 3)."""
    corners = [(0.0, one, other * _GOLDEN) for one, other in product((-1.0, 1.0), repeat=2)]
    return _unit([corner[turn:] + corner[:turn] for turn in range(3) for corner in corners])


def strange_directions() -> Tensor:
    """The same of colours that no class has, (20, 3): the corners of a dodecahedron, between three kinds each."""
    corners = [(0.0, one * _GOLDEN, other / _GOLDEN) for one, other in product((-1.0, 1.0), repeat=2)]
    return _unit([*product((-1.0, 1.0), repeat=3), *(own[turn:] + own[:turn] for turn in range(3) for own in corners)])


def _unit(vectors: list[tuple[float, ...]]) -> Tensor:
    found = torch.tensor(vectors, dtype=torch.float64)
    unit: Tensor = found / found.norm(dim=1, keepdim=True)
    return unit
