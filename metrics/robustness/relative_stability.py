"""Relative stability (Agarwal et al., 2022)."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from bench.api import CLASSIFYING, OK, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.api.module_state import evaluating
from bench.api.network import pixel_scale, to_pixels
from bench.attribution.layers import spatial_layer
from bench.engine import logits_in_chunks
from bench.functional.outputs import predictions
from bench.scoring.neighbourhood import steps_around

_TINY = 1e-6


@dataclass(frozen=True)
class RelativeStability(Metric):
    """Largest relative change of the attributions over that of the image, a representation or the output, near it.

    Over `samples` images uniform within +-`radius` of every pixel value in [0, 1]: |(a - a') / a| over |(x - x') / x|,
    pixels in [0, 1] (`of = "input"`), over |(l - l') / l|, what the `layer` gives, by default the last with a spatial
    map (`of = "representation"`), or over |h - h'|, the logits (`of = "output"`), element by element, in L2, with 1e-6
    for zeros and as the least divisor. Images whose prediction changes do not count; where all do, no score.
    """

    of: Literal["input", "output", "representation"] = "input"
    radius: float = 0.02
    samples: int = 10
    layer: str = ""
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map change no more than what it explains?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Attributions near zero decide it; whether the map depends on the network at all."
    reference: ClassVar[str] = "Agarwal et al., 2022, arXiv:2203.06877"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction and one more explanation for each sample; the layer is found, and seen, once for each image."""
        around = (explanation + Cost(1, 0)) * self.samples
        return around if self.of != "representation" else around + Cost(1, 0, shared=0 if self.layer else 1)

    def score(self, explained: Explained) -> Scored:
        """The largest ratio of each image."""
        network, images, before = explained.network, explained.images, predictions(explained.clean)
        scale, ratios = pixel_scale(images, network.preprocess), []
        look = self._look(explained)
        match self.of:
            case "input":
                own = to_pixels(images, network.preprocess)
            case "output":
                own = explained.clean
            case "representation":
                own = look(images)[1]
        for step in steps_around(explained, self.radius, self.samples):
            near = images + step / scale
            logits, seen = look(near)
            moved = (own - seen).double().norm(dim=1) if self.of == "output" else _relative(own, seen)
            changed = _relative(explained.attributions, explained.attribute_again(near))
            ratio, after = changed / moved.clamp_min(_TINY), predictions(logits)
            ratios.append(ratio.where(after == before, -torch.inf).where(after >= 0, torch.nan))
        worst = torch.stack(ratios, 1).amax(1)
        status = tuple("prediction changed" if own == -torch.inf else OK for own in worst.tolist())
        return Scored(worst.where(worst != -torch.inf, torch.nan), None, status)

    def _look(self, explained: Explained) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """A function from images to their logits and to what is compared of them."""
        network = explained.network
        if self.of == "input":
            return lambda images: (logits_in_chunks(network, images), to_pixels(images, network.preprocess))
        if self.of == "output":
            return lambda images: (logits_in_chunks(network, images),) * 2
        with evaluating(network.module):
            layer = spatial_layer(network, explained.images, self.layer)
        return lambda images: _logits_and_inside(network, layer, images)


def _logits_and_inside(network: Network, layer: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """The logits of images, and what the layer gives on the way to them, (batch, ...)."""
    inside: list[Tensor] = []
    handle = layer.register_forward_hook(lambda _, __, given: inside.append(given.detach().clone()))
    try:
        logits = logits_in_chunks(replace(network, precision="fp32", compiler="none"), images)
    finally:
        handle.remove()
    return logits, torch.cat(inside)


def _relative(before: Tensor, after: Tensor) -> Tensor:
    """The length of the change (batch,), each value over its own before it, float64."""
    own = before.double()
    share: Tensor = (own - after.double()) / own.where(own != 0, _TINY)
    return share.flatten(1).square().sum(1).sqrt()
