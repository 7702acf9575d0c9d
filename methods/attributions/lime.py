"""A weighted linear model of superpixels around an image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.superpixels import superpixels, values_of_coalitions
from bench.functional.heatmaps import Reduction
from bench.functional.outputs import Output


@dataclass(frozen=True)
class Lime(Attribution):
    """Coefficients of a linear model of superpixels, fitted around the image (LIME).

    SLIC superpixels of the displayed image (published with quickshift); each is left out with probability one half,
    for each image from its own stream, and then shows its mean colour. Ridge regression of the target's probability
    with an intercept, samples weighted as in the published code: exp(-d^2 / (2 kernel_width^2)) of the cosine distance
    d to the whole image, which is the first sample. One channel: every pixel carries its superpixel's coefficient.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "LIME"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float32"
    reference: ClassVar[str] = "Ribeiro et al., 2016, arXiv:1602.04938"

    reduction: Reduction = "sum"
    samples: int = 1000
    segments: int = 50
    kernel_width: float = 0.25
    penalty: float = 1.0
    output: Output = "probability"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Coefficients per pixel (batch, 1, height, width)."""
        images = request.images
        parts = superpixels(network, images, self.segments)
        counts = (parts.flatten(1).amax(1) + 1).tolist()
        shown = []
        for row, count in enumerate(counts):
            uniform = request.rng.select([row]).uniform((self.samples, count), images.double())[0].cpu().numpy()
            uniform[0] = 0
            shown.append((uniform < 0.5).astype(np.float64))
        fills = torch.stack([_mean_colours(image, part) for image, part in zip(images, parts, strict=True)])
        values = values_of_coalitions(shown, parts, network, images, request.targets, fills, self.output)
        maps = []
        for own, part, chosen in zip(values, parts, shown, strict=True):
            fitted = _coefficients(chosen, own.double().cpu().numpy(), self.kernel_width, self.penalty)
            maps.append(torch.from_numpy(fitted).to(images)[part])
        return torch.stack(maps)[:, None]

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass per sample, the whole image among them."""
        return Cost(self.samples, 0)


def _mean_colours(image: Tensor, part: Tensor) -> Tensor:
    """An image (channel, height, width) whose superpixels are painted with their means."""
    members = F.one_hot(part.flatten()).to(image)
    means = image.flatten(1) @ members / members.sum(0)
    return means[:, part]


def _coefficients(shown: np.ndarray, values: np.ndarray, width: float, penalty: float) -> np.ndarray:
    """Ridge coefficients (parts,) of `values` (samples,) on what was `shown` (samples, parts)."""
    distances = 1 - np.sqrt(shown.mean(1))
    weights = np.exp(-0.5 * (distances / width) ** 2)
    shares = weights / weights.sum()
    inputs, rest = shown - shares @ shown, values - shares @ values
    weighted = inputs.T * weights
    return np.asarray(np.linalg.lstsq(weighted @ inputs + penalty * np.eye(len(weighted)), weighted @ rest)[0])
