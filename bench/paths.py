"""Path integrals of gradients: quadrature rules, and one batched way to sum over the nodes of a path."""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.errors import HeatmarkError
from bench.handed import Network

Rule = Literal["gauss_legendre", "trapezoid", "left", "right", "middle"]
Term = Callable[[Tensor, Tensor], Tensor]


def quadrature(rule: Rule, nodes: int) -> tuple[Tensor, Tensor]:
    """Nodes in [0, 1] and their weights, float64, each (nodes,).

    Gauss-Legendre weights are rounded to float32, as Captum does also for float64 images and as every published
    number therefore has them. The trapezoid weights sum to 1 (Captum's sum to (nodes - 1) / nodes).
    """
    if nodes < 1 + (rule == "trapezoid"):
        raise HeatmarkError(f"quadrature rule {rule!r} cannot have {nodes} nodes")
    steps = torch.arange(nodes, dtype=torch.float64)
    equal = torch.full((nodes,), 1 / nodes, dtype=torch.float64)
    match rule:
        case "gauss_legendre":
            points, areas = (torch.from_numpy(values) for values in np.polynomial.legendre.leggauss(nodes))
            return 0.5 * (1 + points), (0.5 * areas).float().double()
        case "trapezoid":
            weights = torch.full((nodes,), 1 / (nodes - 1), dtype=torch.float64)
            weights[[0, -1]] /= 2
            return steps / (nodes - 1), weights
        case "left":
            return steps / nodes, equal
        case "right":
            return (steps + 1) / nodes, equal
        case "middle":
            return (steps + 0.5) / nodes, equal


def per_pixel(values: Tensor, like: Tensor) -> Tensor:
    """One number per image, shaped, typed and placed to multiply images (batch, channel, height, width)."""
    return values.to(like)[:, None, None, None]


def target_gradients(network: Network, images: Tensor, targets: Tensor) -> Tensor:
    """Gradient of each image's target logit with respect to the image, in the shape of `images`."""
    images = images.detach().requires_grad_()
    (gradients,) = torch.autograd.grad(network.logits_of(images, targets).sum(), images)
    return gradients


def sum_over_nodes(term: Term, images: Tensor, nodes: int, chunk: int) -> Tensor:
    """For each image the sum of `term` over its nodes, in the shape of `images`.

    `term(owners, node)` is handed positions of images and numbers of nodes, at most `chunk` of each at a time,
    and returns one summand (channel, height, width) for each. All nodes of all images stand in one queue, so
    that every chunk but the last is full whatever the number of nodes.
    """
    sums = torch.zeros_like(images)
    total = len(images) * nodes
    for start in range(0, total, chunk):
        places = torch.arange(start, min(start + chunk, total), device=images.device)
        summands = term(places // nodes, places % nodes)
        for owner, (first, last) in _runs(start, start + len(places), nodes):
            sums[owner] += summands[first:last].sum(0)
    return sums


def _runs(start: int, stop: int, nodes: int) -> list[tuple[int, tuple[int, int]]]:
    """Which image owns which stretch of the chunk that covers [start, stop) of the queue."""
    inner = range((start // nodes + 1) * nodes, stop, nodes)
    borders = [start, *inner, stop]
    return [(first // nodes, (first - start, last - start)) for first, last in pairwise(borders)]


def straight_integral(
    network: Network, images: Tensor, targets: Tensor, baselines: Tensor, alphas: Tensor, weights: Tensor
) -> Tensor:
    """Weighted sum of the gradients at `alphas` along the straight lines from `baselines` to `images`."""
    steps = images - baselines

    def term(owners: Tensor, node: Tensor) -> Tensor:
        points = (steps[owners] * per_pixel(alphas[node.cpu()], images)).add_(baselines[owners])
        gradients = target_gradients(network, points, targets[owners])
        return gradients.mul_(per_pixel(weights[node.cpu()], images))

    return sum_over_nodes(term, images, len(alphas), network.chunk)
