"""The insides of a network, found by running it once: its maps and tokens, its attention, what its head reads.

Nothing goes by names of layers: what is made on the way to the output is watched, whether the network calls modules or
functions for it, and told by shapes and gradients.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.overrides import TorchFunctionMode

from bench.api import Network
from bench.api.module_state import unwrapped
from bench.attribution.gradients import target_values
from bench.attribution.layouts import (
    Layout,
    Made,
    is_spatial,
    layout_named,
    layout_of_map,
    layout_of_patches,
    layout_of_tokens,
)
from bench.errors import UnsupportedError, nearest

_KEPT = 64  # of what is made last: more than any block makes
_TRIED = 16  # of what all passes through: more than a head and a block have
_PRODUCTS: set[Any] = {torch.matmul, Tensor.matmul, Tensor.__matmul__, torch.bmm, Tensor.bmm, torch.einsum}
_VIEWS = (
    "View",
    "UnsafeView",
    "Transpose",
    "Permute",
    "Unbind",
    "Select",
    "Slice",
    "Split",
    "Reshape",
    "Clone",
    "Expand",
)
_INSIDE_ATTENTION: set[Any] = {F.scaled_dot_product_attention, torch.softmax, Tensor.softmax, F.softmax}
Swaps = Mapping[int, Callable[[Tensor], Tensor]]


@dataclass(eq=False)
class Insides:
    """What a network made of images on the way to its targets' logits `values` (batch,), in the order of its making.

    `kept` holds the last tensors by number; `projected` are the steps that make queries, keys and values.
    """

    network: Network
    images: Tensor
    values: Tensor
    made: dict[int, Made]
    kept: dict[int, Tensor]
    projected: set[Any]
    named: bool
    layouts: dict[int, Layout | None] = field(default_factory=dict)

    @cached_property
    def passed(self) -> list[Made]:
        """What everything passes through from the images to the output, the last one first, each once."""
        by_step = {(made.edge.node, made.edge.output_nr): made for made in self.made.values()}
        steps = list(_narrow_steps(self.values, self.images))
        found = [by_step[step] for step in steps if step in by_step]
        return [made for made in found if len(made.shape) == 4 or made.edge.node not in self.projected]

    def layout(self, made: Made, passed: Sequence[Made]) -> Layout | None:
        """Where the places of the image lie in something made; None where nothing tells.

        Tokens take their order from the map, or the tokens, that they are made from place by place; where all attend
        to all in between, from tokens before it of the same shape.
        """
        if made.number not in self.layouts:
            self.layouts[made.number] = self._layout(made, passed)
        return self.layouts[made.number]

    def _layout(self, made: Made, passed: Sequence[Made]) -> Layout | None:
        if len(made.shape) == 4:
            return layout_of_map(made, self.images)
        before = [one for one in passed if one.number < made.number]
        alike = [one for one in before if one.shape == made.shape]
        if alike and not self.named and len(set(made.shape)) == 3:  # no dimension can stand in for another
            return self.layout(alike[-1], passed)
        for one in before:
            spatial = len(one.shape) == 3 or is_spatial(one.shape, self.images.shape)
            layout = self.layout(one, passed) if spatial else None
            if layout is not None:
                same = layout if one.shape == made.shape else None
                return layout_of_tokens(made, one, layout) or same
        return layout_of_patches(made, self.images)


def look(network: Network, images: Tensor, targets: Tensor, layer: str = "", swaps: Swaps | None = None) -> Insides:
    """The network's insides while it looks at images; of a named layer only what that gives.

    What is made is kept as it was then, before what follows works on it in place. `swaps` take the place of what is
    made, by number. UnsupportedError naming the network where it has no layer of that name.
    """
    own = replace(network, module=unwrapped(network.module))
    recorder = _Recorder(images.shape, swaps or {}, named=bool(layer))
    images = images.detach().requires_grad_()
    with _hooked(own, layer, recorder), recorder:
        values = target_values(own, images, targets)
    return Insides(own, images, values, recorder.made, dict(recorder.kept), recorder.projected, bool(layer))


class _Recorder(TorchFunctionMode):
    """Keeps what a forward pass makes, and hands a copy on, so that nothing works on it in place."""

    def __init__(self, image: torch.Size, swaps: Swaps, *, named: bool) -> None:
        super().__init__()
        self.image, self.swaps, self.named = image, swaps, named
        self.made: dict[int, Made] = {}
        self.kept: deque[tuple[int, Tensor]] = deque(maxlen=_KEPT)
        self.count = 0
        self.copy: Tensor | None = None
        self.projected: set[Any] = set()
        self.attending: set[Any] = set()

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        self.count += 1
        if _attends(func, args):
            for part in args:
                self.projected |= _viewed(part)
            self.attending.add(getattr(result, "grad_fn", None))
            return result
        if not isinstance(result, Tensor) or not self._is_map(result):
            return result
        if self.named:
            self._number(result)
            return result
        fresh = not result._is_view() and not any(result is part for part in args)
        return self._keep(result, copied=fresh)

    def watch(self, _: nn.Module, __: tuple[Tensor, ...], output: object) -> Tensor | None:
        """A hook behind a layer: keep its map, unless it is the one that is kept already."""
        self.count += 1
        with torch._C.DisableTorchFunction():  # what is asked here is none of the network's
            if not isinstance(output, Tensor) or output.grad_fn is None or output.ndim not in (3, 4):
                return None
            empty = output.ndim == 4 and output.shape[2] * output.shape[3] <= 1
            if empty or output.grad_fn in self.attending or (output is self.copy and not self.named):
                return None
            return self._keep(output, copied=True)

    def _is_map(self, result: Tensor) -> bool:
        if result.grad_fn is None or result.shape[1:] == self.image[1:]:
            return False
        if result.ndim == 4:
            return result.shape[0] == self.image[0] and is_spatial(result.shape, self.image)
        return result.ndim == 3 and self.image[0] in result.shape[:2]

    def _number(self, result: Tensor) -> int:
        self.made[self.count] = Made(self.count, get_gradient_edge(result), result.shape, result.new_empty(0))
        return self.count

    def _keep(self, result: Tensor, *, copied: bool) -> Tensor:
        number = self._number(result)
        self.kept.append((number, result))
        self.copy = result.clone() if copied else result
        if number in self.swaps:
            self.copy = self.swaps[number](result)
        return self.copy


def _attends(func: Any, args: Sequence[Any]) -> bool:
    """Whether an operation is a step of attention, where heads and tokens are no height and width."""
    flat = [own for part in args for own in (part if isinstance(part, list | tuple) else [part])]
    features = [part for part in flat if isinstance(part, Tensor) and part.requires_grad]
    return func in _INSIDE_ATTENTION or (func in _PRODUCTS and len(features) == 2)


def _viewed(given: object) -> set[Any]:
    """The step that gave a tensor its values, and those that only showed it in another shape."""
    step: Any = given.grad_fn if isinstance(given, Tensor) else None
    steps = set()
    while step is not None:
        steps.add(step)
        step = step.next_functions[0][0] if step.name().startswith(_VIEWS) else None
    return steps


def _narrow_steps(values: Tensor, images: Tensor) -> Iterator[tuple[Any, int]]:
    """Steps of the graph back from the values, and which output of theirs, that all passes through from the images."""
    waiting = [(0, 0, values.grad_fn)]
    outputs: dict[Any, set[int]] = {values.grad_fn: {0}}
    while waiting:
        step: Any = heapq.heappop(waiting)[2]
        if not waiting and len(outputs[step]) == 1:
            yield step, *outputs[step]
        for before, output in step.next_functions:
            if getattr(before, "variable", None) is images and waiting:
                return
            if before is not None and not hasattr(before, "variable"):
                if before not in outputs:
                    heapq.heappush(waiting, (-before._sequence_nr(), len(outputs), before))
                outputs.setdefault(before, set()).add(output)


@dataclass(frozen=True, eq=False)
class LastMap:
    """The last map on the way to the output, the gradients of the target logits there, and how both lie."""

    number: int
    map: Tensor
    gradients: Tensor
    layout: Layout


def last_map(seen: Insides, layout: str = "") -> LastMap:
    """The last map that everything passes through and whose places matter to the targets.

    Of a transformer that reads its class token alone these are the tokens before its last block; of one that averages
    its patches those that it averages. Of a named layer it is what that gave. UnsupportedError where there is none, or
    where nothing shows which of its dimensions, or of its tokens, are places.
    """
    name, passed = seen.network.name, seen.passed
    tried = [seen.made[number] for number in reversed(seen.kept)] if seen.named else passed
    tried = [made for made in tried if made.number in seen.kept][: 1 if seen.named else _TRIED]
    if not tried:
        raise UnsupportedError(
            f"network {name!r} does not end in a spatial map or tokens: nothing for a CAM to look at"
        )
    tensors = [seen.kept[made.number] for made in tried]
    gradients = torch.autograd.grad(seen.values.sum(), tensors, retain_graph=True)
    for made, tensor, gradient in zip(tried, tensors, gradients, strict=True):
        found = layout_named(layout, made.shape, name) if layout else seen.layout(made, passed)
        if found is None:
            if len(made.shape) == 3 and min(made.shape[1:]) < 2:  # one token, or one number of each
                continue
            raise _not_told(name, made.shape)
        known = gradient.nan_to_num(0, 0, 0)  # what is no number says of no place whether it matters
        if seen.named or found.maps(known).any() or not known.any():
            return LastMap(made.number, tensor, gradient, found)
    raise UnsupportedError(f"network {name!r}: no place of its last maps matters to its output; name a layer (`layer`)")


def last_tokens(seen: Insides, count: int) -> tuple[Made, Layout] | None:
    """The last of this many tokens that everything passes through, and where the places of the image are among them."""
    passed = seen.passed
    for made in passed:
        if made.number in seen.kept and len(made.shape) == 3 and count in made.shape:
            layout = seen.layout(made, passed)
            if layout is not None and made.shape[3 - layout.batch - layout.channel] == count:
                return made, layout
    return None


def _not_told(name: str, shape: torch.Size) -> UnsupportedError:
    what = "dimensions are height and width" if len(shape) == 4 else "tokens are which places"
    return UnsupportedError(
        f"network {name!r}: its map of shape {tuple(shape[1:])} does not show which {what}; say so (`layout`), name "
        "another layer (`layer`), or give images of another size"
    )


@contextmanager
def _hooked(network: Network, layer: str, recorder: _Recorder) -> Iterator[None]:
    parts = {name: part for name, part in network.module.named_modules() if name}
    if layer and layer not in parts:
        raise UnsupportedError(f"network {network.name!r} has no layer {layer!r}; {nearest(layer, parts)}")
    chosen = [part for name, part in parts.items() if not layer or name == layer]
    handles = [part.register_forward_hook(recorder.watch) for part in chosen]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
