"""Important direction gradient integration."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.blur_path import BlurPath
from bench.attribution.gradients import target_values, values_and_gradients
from bench.attribution.guided_path import GuidedPath
from bench.attribution.paths import per_image
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class Idgi(Attribution):
    """Each step's change of the output, shared out by the squared gradients (IDGI).

    `path`: straight from zero in normalised space, Guided IG's greedy one, or Blur IG's; the last two with their
    published settings. The attributions of an image sum to the difference of the output between the ends of the
    path; where all gradients of a step are zero, its change is left out. Published with the softmax probability.
    """

    display: ClassVar[str] = "IDGI"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Yang et al., 2023, arXiv:2303.14242"

    reduction: Reduction = "sum_absolute"
    path: Literal["straight", "guided", "blur"] = "straight"
    steps: int = 50
    output: Output = "logit"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, targets = request.images, request.targets
        attributions = torch.zeros_like(images)
        before = images.new_zeros(len(images))
        shares = torch.zeros_like(images)
        for values, gradients in self._along(network, request):
            attributions += per_image(values - before) * shares
            # Over a power of two near the largest, which rounds nothing: squares of small gradients underflow.
            _, exponent = gradients.abs().amax((1, 2, 3), keepdim=True).frexp()
            squares = gradients.ldexp(-exponent.clamp_min(-126)).square()
            shares = squares / squares.sum((1, 2, 3), keepdim=True).clamp_min(torch.finfo(squares.dtype).tiny)
            before = values
        with torch.no_grad():
            last = target_values(network, images, targets, self.output)
        return attributions + per_image(last - before) * shares

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per step, and the output at the end."""
        return Cost(self.steps + 1, self.steps)

    def _along(self, network: Network, request: Request) -> Iterator[tuple[Tensor, Tensor]]:
        """Outputs (batch,) and gradients at the beginning of each step."""
        images = request.images

        def at(points: Tensor) -> tuple[Tensor, Tensor]:
            return values_and_gradients(network, points, request.targets, output=self.output)

        match self.path:
            case "straight":
                yield from (at(images * (step / self.steps)) for step in range(self.steps))
            case "guided":
                path = GuidedPath(self.steps)
                walk = path.walk(at, images, torch.zeros_like(images))
                yield from ((step.values, step.gradients) for step in walk)
            case "blur":
                blur = BlurPath(steps=self.steps)
                for sigma in blur.sigmas().to(images.device).flip(0)[:-1]:
                    yield at(blur.blurred(images, sigma.expand(len(images))))
