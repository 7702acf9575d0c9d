"""Path integrals of gradients: quadrature rules, one batched queue of nodes, and the straight path."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bench.api import Network
from bench.attribution.gradients import target_gradients, target_values
from bench.attribution.guided_rules import NonlinearityRule
from bench.engine.folding import folded
from bench.errors import HeatmarkError

QuadratureRule = Literal["gauss_legendre", "trapezoid", "left", "right", "middle"]
Quadrature = tuple[Tensor, Tensor]
Term = Callable[[Tensor, Tensor], Tensor]


def quadrature(rule: QuadratureRule, nodes: int) -> Quadrature:
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


def per_image(values: Tensor) -> Tensor:
    """One number per image, shaped to multiply images (batch, channel, height, width)."""
    return values[:, None, None, None]


def queue(batch: int, nodes: int, chunk: int) -> Iterator[tuple[Tensor, Tensor]]:
    """All nodes of all images in chunks of `chunk`: positions of images, and numbers of nodes, on the CPU.

    Image after image, so that every chunk but the last is full whatever the number of nodes.
    """
    total = batch * nodes
    for start in range(0, total, chunk):
        places = torch.arange(start, min(start + chunk, total))
        yield places // nodes, places % nodes


def sum_over_nodes(term: Term, like: Tensor, nodes: int, chunk: int) -> Tensor:
    """For each image of `like` (batch, ...) the sum of `term` over its nodes, (batch, ...) as `term` returns it.

    `term(owners, node)` takes a chunk of the queue, on the device of `like`, and returns a summand for each place.
    """
    sums: list[Tensor] = []
    for owners, node in queue(len(like), nodes, chunk):
        summands = term(owners.to(like.device), node.to(like.device))
        present, sizes = owners.unique_consecutive(return_counts=True)
        for owner, part in zip(present.tolist(), torch.split(summands, sizes.tolist()), strict=True):
            if owner < len(sums):
                sums[owner] += part.sum(0)
            else:
                sums.append(part.sum(0))
    return torch.stack(sums)


def integrated_gradients(
    network: Network,
    images: Tensor,
    targets: Tensor,
    baselines: Tensor,
    nodes: Quadrature,
    rule: NonlinearityRule = "plain",
) -> Tensor:
    """Gradients averaged along the straight lines from `baselines` to `images`, times the difference."""
    alphas, weights = (values.to(images) for values in nodes)
    differences = images - baselines
    ready = folded(network, images)

    def term(owners: Tensor, node: Tensor) -> Tensor:
        points = differences[owners].mul_(per_image(alphas[node])).add_(baselines[owners])
        return target_gradients(ready, points, targets[owners], rule).mul_(per_image(weights[node]))

    return sum_over_nodes(term, images, len(alphas), network.chunk).mul_(differences)


def rounds(nodes: int, most_nodes: int) -> list[int]:
    """The numbers of nodes that adaptive integrated gradients may try, each twice the one before."""
    return [nodes << times for times in range((most_nodes // nodes).bit_length())]


def adaptive_integrated_gradients(
    network: Network,
    images: Tensor,
    targets: Tensor,
    baselines: Tensor,
    rule: QuadratureRule,
    nodes: int,
    most_nodes: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Integrated gradients with twice the nodes until each image's completeness gap is small, and the nodes taken.

    The gap is small when it is at most `tolerance` times the difference of the output. An image is refined by
    itself; one that would need more than `most_nodes` in its last round keeps its last result. The nodes taken
    (batch,) count every round.
    """
    with torch.no_grad():
        change = target_values(network, images, targets) - target_values(network, baselines, targets)
    result = torch.zeros_like(images)
    taken = torch.zeros(len(images), dtype=torch.int64)
    open_ones = torch.arange(len(images), device=images.device)
    for count in rounds(nodes, most_nodes):
        if not len(open_ones):
            break
        attributions = integrated_gradients(
            network, images[open_ones], targets[open_ones], baselines[open_ones], quadrature(rule, count)
        )
        result[open_ones] = attributions
        taken[open_ones.cpu()] += count
        gaps = attributions.sum((1, 2, 3)) - change[open_ones]
        open_ones = open_ones[gaps.abs() > tolerance * change[open_ones].abs()]
    return result, taken
