"""Relative stability (Agarwal et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import CLASSIFYING, OK, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.api.network import pixel_scale, to_pixels
from bench.engine import logits_in_chunks
from bench.functional.outputs import predictions
from bench.scoring.neighbourhood import steps_around

_TINY = 1e-6


@dataclass(frozen=True)
class RelativeStability(Metric):
    """Largest relative change of the attributions over that of the image or of the output, near the image.

    Over `samples` images uniform within +-`radius` of every pixel value in [0, 1]: |(a - a') / a| over |(x - x') / x|,
    pixels in [0, 1] (`of = "input"`), or over |h - h'|, the logits (`of = "output"`), element by element, in L2, with
    1e-6 for zeros and as the least divisor. Images whose prediction changes do not count; where all do, no score.
    """

    of: Literal["input", "output"] = "input"
    radius: float = 0.02
    samples: int = 10
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map change no more than what it explains?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Attributions near zero decide it; whether the map depends on the network at all."
    reference: ClassVar[str] = "Agarwal et al., 2022, arXiv:2203.06877"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction and one more explanation for each sample."""
        return (explanation + Cost(1, 0)) * self.samples

    def score(self, explained: Explained) -> Scored:
        """The largest ratio of each image."""
        preprocess, images, before = explained.network.preprocess, explained.images, predictions(explained.clean)
        scale, ratios = pixel_scale(images, preprocess), []
        for step in steps_around(explained, self.radius, self.samples):
            near = images + step / scale
            logits = logits_in_chunks(explained.network, near)
            if self.of == "input":
                moved = _relative(to_pixels(images, preprocess), to_pixels(near, preprocess))
            else:
                moved = (explained.clean - logits).double().norm(dim=1)
            changed = _relative(explained.attributions, explained.attribute_again(near))
            ratios.append((changed / moved.clamp_min(_TINY)).where(predictions(logits) == before, -torch.inf))
        worst = torch.stack(ratios, 1).amax(1)
        status = tuple("prediction changed" if own == -torch.inf else OK for own in worst.tolist())
        return Scored(worst.where(worst != -torch.inf, torch.nan), None, status)


def _relative(before: Tensor, after: Tensor) -> Tensor:
    """The length of the change (batch,), each value over its own before it, float64."""
    own = before.double()
    share: Tensor = (own - after.double()) / own.where(own != 0, _TINY)
    return share.flatten(1).square().sum(1).sqrt()
