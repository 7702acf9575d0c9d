"""Gradient methods averaged over noisy copies of an image: what SmoothGrad and its relatives share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bench.api import Cost, Network, Request
from bench.attribution.gradients import target_gradients
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.paths import integrated_gradients, quadrature, sum_over_nodes
from bench.engine.folding import folded

GradientMethod = Literal["gradient", "input_x_gradient", "integrated_gradients"]


@dataclass(frozen=True)
class Smoothing:
    """`samples` copies of an image with Gaussian noise, explained by the gradient method `of`.

    `noise` is the standard deviation in units of the range of the image (its highest value less its lowest, in
    normalised space), as published. Integrated gradients: zero baseline, `nodes` of Gauss-Legendre.
    """

    samples: int
    noise: float
    of: GradientMethod
    nonlinearity: NonlinearityRule
    nodes: int

    def mean(self, network: Network, request: Request, function: Callable[[Tensor], Tensor]) -> Tensor:
        """The mean over noisy copies of a function of their attributions, (batch, ...) as the function returns it."""

        def term(owners: Tensor, node: Tensor) -> Tensor:
            return function(self._of_copies(network, request, owners, node))

        return sum_over_nodes(term, request.images, self.samples, network.chunk) / self.samples

    def variance(self, network: Network, request: Request) -> Tensor:
        """The population variance of the attributions of noisy copies, (batch, channel, height, width).

        In double precision: in single squares of attributions below 1e-19 are zero, and above 1e19 infinite. By
        differences from the first copy: the mean of squares less the square of the mean would be all rounding where
        attributions are large beside their spread.
        """
        rows = torch.arange(len(request), device=request.images.device)
        first = torch.cat(
            [self._of_copies(network, request, own, torch.zeros_like(own)) for own in rows.split(network.chunk)]
        ).double()
        if self.samples == 1:
            return torch.zeros_like(first)

        def term(owners: Tensor, node: Tensor) -> Tensor:
            differences = self._of_copies(network, request, owners, node + 1) - first[owners]
            return torch.stack([differences, differences.square()], 1)

        sums = sum_over_nodes(term, request.images, self.samples - 1, network.chunk)
        mean, squares = (sums / self.samples).unbind(1)
        return (squares - mean.square()).clamp_min(0)

    def cost(self) -> Cost:
        """Passes through the network for each image."""
        gradients = self.samples * (self.nodes if self.of == "integrated_gradients" else 1)
        return Cost(gradients, gradients)

    def _of_copies(self, network: Network, request: Request, owners: Tensor, node: Tensor) -> Tensor:
        """Attributions of one noisy copy of each of these images, by their numbers."""
        images, targets = request.images, request.targets
        spread = self.noise * (images.amax((1, 2, 3)) - images.amin((1, 2, 3)))
        noise = [
            request.rng.select([owner]).normal(tuple(images.shape[1:]), images, draw=sample)
            for owner, sample in zip(owners.tolist(), node.tolist(), strict=True)
        ]
        copies = images[owners] + spread[owners, None, None, None] * torch.cat(noise)
        return self._attributions(network, copies, targets[owners])

    def _attributions(self, network: Network, images: Tensor, targets: Tensor) -> Tensor:
        match self.of:
            case "gradient":
                return target_gradients(folded(network, images), images, targets, self.nonlinearity)
            case "input_x_gradient":
                return images * target_gradients(folded(network, images), images, targets, self.nonlinearity)
            case "integrated_gradients":
                nodes = quadrature("gauss_legendre", self.nodes)
                blank = torch.zeros_like(images)
                return integrated_gradients(network, images, targets, blank, nodes, self.nonlinearity)
