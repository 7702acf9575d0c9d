"""Where the places of an image lie in what a network makes of it: maps of either layout, and tokens in any order."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from bench.errors import UnsupportedError

_LEAST_WAY = 0.1  # of the image: of places it is .4 and more, of channels .05 and less
_BASE = 16  # digits that bfloat16 tells apart
_DIMENSIONS = ((0, 1), (1, 0), (0, 2))  # of batch and tokens


@dataclass(frozen=True, eq=False)
class Made:
    """Something that a network made on its way: the how manieth, where gradients pass it, its shape and kind."""

    number: int
    edge: GradientEdge
    shape: torch.Size
    like: Tensor  # empty, of its type and device


@dataclass(frozen=True, eq=False)
class Layout:
    """The dimensions of images and channels; `places` (rows, columns) numbers the tokens, None of maps."""

    batch: int
    channel: int
    places: Tensor | None = None

    def maps(self, given: Tensor) -> Tensor:
        """What lies at the places, (batch, channel, rows, columns)."""
        moved = given.movedim((self.batch, self.channel), (0, 1))
        return moved if self.places is None else moved[:, :, self.places]

    def tokens(self, given: Tensor) -> Tensor:
        """All tokens (batch, token, channel), those that are no places too."""
        return given.movedim((self.batch, self.channel), (0, 2))

    def put(self, given: Tensor, maps: Tensor) -> Tensor:
        """A copy that has these maps (batch, channel, rows, columns) at the places."""
        new = given.clone()
        moved = new.movedim((self.batch, self.channel), (0, 1))
        if self.places is None:
            moved.copy_(maps)
        else:
            moved[:, :, self.places] = maps
        return new

    def __str__(self) -> str:
        if self.places is None:
            return "maps with channels first" if self.channel == 1 else "maps with channels last"
        rows, columns = self.places.shape
        return f"tokens of {rows} x {columns} places, the first of them number {int(self.places[0, 0])}"


FIRST, LAST = Layout(0, 1), Layout(0, 3)


def layout_named(written: str, shape: torch.Size, network_name: str) -> Layout:
    """The layout that somebody writes for a map of this shape: "first", "last" or "ROWSxCOLUMNS+OTHERS" for tokens.

    Of tokens, OTHERS come before the places. UnsupportedError where the map has no such layout.
    """
    tokens = re.fullmatch(r"(\d+)x(\d+)(?:\+(\d+))?", written)
    if written in ("first", "last") and len(shape) == 4:
        return FIRST if written == "first" else LAST
    if tokens and len(shape) == 3:
        rows, columns, others = (int(part or 0) for part in tokens.groups())
        if others + rows * columns == shape[1] and rows * columns:
            return Layout(0, 2, torch.arange(rows * columns).view(rows, columns) + others)
    raise UnsupportedError(
        f"network {network_name!r}: layout {written!r} does not fit its map of shape {tuple(shape[1:])}; expected "
        '"first" or "last" for channels of maps, or "ROWSxCOLUMNS+OTHERS" for tokens, OTHERS before the places'
    )


def is_spatial(shape: torch.Size, image: torch.Size) -> bool:
    """Whether a map (batch, 4 dimensions) is about of the shape of an image in the dimensions that are more like it."""
    middle, last = (abs(shape[at] * image[3] - shape[at + 1] * image[2]) for at in (1, 2))
    nearer = middle < last and middle <= max(image[2:]) and shape[1] * shape[2] > 1
    return _fits(shape[1:3] if nearer else shape[2:], image)


def _fits(size: torch.Size, image: torch.Size) -> bool:
    """Whether (height, width) is about the shape of an image: more than one place, and no more than the image."""
    height, width = size
    ratio = (height * image[3]) / (width * image[2])
    return height * width > 1 and height <= image[2] and width <= image[3] and 1 / 3 <= ratio <= 3


def layout_of_map(made: Made, images: Tensor) -> Layout | None:
    """Whether a map of four dimensions made from images has its channels first or last.

    Where both would be about of the image's shape, that one whose dimensions look at different parts of the image:
    the later columns of a map are made from what lies further to the right, the later channels are not. None where
    neither stands out.
    """
    first, last = (_fits(size, images.shape) for size in (made.shape[2:], made.shape[1:3]))
    if first != last:
        return LAST if last else FIRST
    as_columns, as_rows = _way(made, 3, images, 3), _way(made, 1, images, 2)
    if max(as_columns, as_rows) < _LEAST_WAY or max(as_columns, as_rows) < 2 * min(as_columns, as_rows):
        return None
    return LAST if as_rows > as_columns else FIRST


def _way(made: Made, dim: int, images: Tensor, along: int) -> float:
    """How far apart, as a share of the image, the centres lie of what the two halves of a dimension are made from.

    The centre of a half that is made from nothing, such as one that a ReLU cuts off, is that of the image.
    """
    length = made.shape[dim]
    if length < 2:
        return 0.0
    # Varied weights: the features of a place may sum to a constant, after a layer normalisation.
    weights = torch.arange(made.shape[1:].numel(), device=made.like.device).cos().view(made.shape[1:]).to(made.like)
    centres = []
    for start in (0, length - length // 2):
        half = torch.zeros_like(weights)
        half.narrow(dim - 1, start, length // 2).copy_(weights.narrow(dim - 1, start, length // 2))
        gradients = _passed_back(made.edge, images, half.expand(made.shape))
        if gradients is None or not gradients.any():
            centres.append(0.5)
            continue
        energy = (gradients.double() / gradients.abs().max()).square().transpose(along, 0).flatten(1).sum(1)
        places = torch.linspace(0, 1, len(energy), dtype=energy.dtype, device=energy.device)
        centres.append(float((energy * places).sum() / energy.sum()))
    return centres[1] - centres[0]


def layout_of_tokens(made: Made, source: Made, layout: Layout) -> Layout | None:
    """Where the places of a map lie among tokens that are made from it, each from one place.

    Every token is marked by its number, one digit at a time: the gradient of the marked tokens over that of all tells
    at each place of the map which of them was made from it. None where places mix in between.
    """
    for batch, token in _DIMENSIONS:
        places = _numbers(made, batch, token, lambda marks: _places_reached(marks, made, source.edge, layout))
        if places is not None and len(places.unique()) == places.numel():
            return Layout(batch, 3 - batch - token, places)
    return None


def layout_of_patches(made: Made, images: Tensor) -> Layout | None:
    """The same for tokens that are made from patches of the image, with no map in between."""
    for batch, token in _DIMENSIONS:
        numbers = _numbers(made, batch, token, lambda marks: _places_reached(marks, made, images, FIRST))
        if numbers is None:
            continue
        rows, columns = (len(line.unique_consecutive()) for line in (numbers[:, 0], numbers[0]))
        height, width = numbers.shape[0] // rows, numbers.shape[1] // columns
        places = numbers[::height, ::width]
        whole = places.repeat_interleave(height, 0).repeat_interleave(width, 1)
        if whole.shape == numbers.shape and whole.equal(numbers) and len(places.unique()) == places.numel() > 1:
            return Layout(batch, 3 - batch - token, places)
    return None


def _places_reached(marks: Tensor, made: Made, source: GradientEdge | Tensor, layout: Layout) -> Tensor | None:
    gradients = _passed_back(made.edge, source, marks)
    return None if gradients is None else layout.maps(gradients.to(torch.float64, copy=True))


def _numbers(made: Made, batch: int, token: int, reached: Callable[[Tensor], Tensor | None]) -> Tensor | None:
    """The number of the token that each place (rows, columns) of the first image goes into; None where none tells."""
    if made.shape[token] < 2:
        return None
    marks = torch.zeros(made.shape, dtype=made.like.dtype, device=made.like.device)
    own = marks.select(batch, 0).movedim(token - (batch < token), 0)  # (token, channel), a view
    own += torch.arange(own.shape[1], device=own.device).add(1).cos()
    plain = reached(marks)
    if plain is None or plain[1:].any() or not plain[0].any(0).all():
        return None
    number, weights = torch.zeros(plain.shape[2:], dtype=torch.long, device=plain.device), own.clone()
    for power in _powers(made.shape[token]):
        digits = torch.arange(len(own), device=own.device) // power % _BASE
        own.copy_(weights * (digits + 1).to(own)[:, None])
        marked = reached(marks)
        if marked is None:
            return None
        found = (marked[0] * plain[0]).sum(0) / plain[0].square().sum(0)
        apart = (marked[0] - found * plain[0]).abs().amax(0) / plain[0].abs().amax(0)
        if (apart > 0.3).any() or ((found - found.round()).abs() > 0.3).any():
            return None
        number += (found.round().long() - 1) * power
    return number


def _powers(count: int) -> list[int]:
    powers = [1]
    while powers[-1] * _BASE < count:
        powers.append(powers[-1] * _BASE)
    return powers


def _passed_back(edge: GradientEdge, source: GradientEdge | Tensor, marks: Tensor) -> Tensor | None:
    given = get_gradient_edge(source) if isinstance(source, Tensor) else source
    (gradients,) = torch.autograd.grad([edge], [given], [marks], retain_graph=True, allow_unused=True)
    return gradients
