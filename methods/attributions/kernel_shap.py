"""Shapley values of superpixels by weighted regression."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.superpixels import superpixels, values_of_coalitions
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class KernelShap(Attribution):
    """Shapley values of superpixels, fitted to random coalitions (KernelSHAP).

    SLIC superpixels of the displayed image; one that is left out goes to zero in normalised space. Coalitions are
    drawn from the Shapley kernel, for each image from its own stream, half of them as complements of the others,
    and the values are those of the least-squares fit that sums to the difference of the target logit between the
    image and a blank one. One channel: every pixel carries its superpixel's value over the number of its pixels.
    """

    needs_gradient: ClassVar[bool] = False
    display: ClassVar[str] = "KernelSHAP"
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "float16"
    reference: ClassVar[str] = "Lundberg and Lee, 2017, arXiv:1705.07874"

    reduction: Reduction = "sum"
    samples: int = 500
    segments: int = 50

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Shapley values per pixel (batch, 1, height, width)."""
        images, targets = request.images, request.targets
        parts = superpixels(network, images, self.segments)
        counts = (parts.flatten(1).amax(1) + 1).tolist()
        coalitions = [
            _coalitions(request.rng.select([row]).uniform((self.samples, 1 + count), images.double())[0], count)
            for row, count in enumerate(counts)
        ]
        values = values_of_coalitions(coalitions, parts, network, images, targets, torch.zeros_like(images))
        maps = []
        for own, part, players in zip(values, parts, coalitions, strict=True):
            shares = torch.from_numpy(_shapley(players, own.double().cpu().numpy())).to(images)
            maps.append((shares / part.flatten().bincount())[part])
        return torch.stack(maps)[:, None]

    def cost(self, network: Network, request: Request) -> Cost:
        """One pass per coalition, nobody and everybody among them."""
        return Cost(self.samples + 2, 0)


def _coalitions(uniform: Tensor, count: int) -> np.ndarray:
    """Nobody, everybody, and coalitions of `count` players (any, count) drawn from the Shapley kernel."""
    draws = uniform.cpu().numpy()
    ends = np.stack([np.zeros(count), np.ones(count)])
    if count == 1:
        return np.concatenate([ends, np.ones((len(draws), 1))])
    sizes = np.arange(1, count)
    chances = np.cumsum(1 / (sizes * (count - sizes)))
    drawn = 1 + np.searchsorted(chances / chances[-1], draws[: (len(draws) + 1) // 2, 0], side="right")
    places = draws[: len(drawn), 1 : count + 1].argsort(1).argsort(1)
    chosen = (places < np.minimum(drawn, count - 1)[:, None]).astype(np.float64)
    return np.concatenate([ends, np.stack([chosen, 1 - chosen], 1).reshape(-1, count)[: len(draws)]])


def _shapley(coalitions: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The least-squares values that sum to what everybody gains over nobody."""
    gain = values[1] - values[0]
    others = coalitions[2:, :-1] - coalitions[2:, -1:]
    rest = values[2:] - values[0] - coalitions[2:, -1] * gain
    fitted = np.linalg.lstsq(others, rest, rcond=None)[0]
    return np.append(fitted, gain - fitted.sum())
