"""The target's output while parts of the images are taken away, for metrics whose masks are not rank maps."""

from collections.abc import Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor

from bench.api import Explained
from bench.engine.predict import forward, forwards_only
from bench.functional.imputation import linear_imputation
from bench.functional.outputs import Output, target_outputs
from bench.scoring.regions import pixel_order


def outputs_while_masked(explained: Explained, shown: Iterable[Tensor], output: Output) -> Tensor:
    """The target's output for each version of the batch of images, float64, (batch, versions)."""
    network, count = explained.network, len(explained.images)
    together, coming, found = max(1, network.chunk // count), iter(shown), []
    with forwards_only(network, explained.images) as ready:
        while some := list(islice(coming, together)):
            given = some[0] if len(some) == 1 else torch.cat(some)
            found += forward(ready, given, network.chunk)[0].split(count)
    return torch.stack(
        [target_outputs(own.double(), explained.targets, output, explained.network.output) for own in found], 1
    )


def road_gaps(explained: Explained, shares: tuple[float, ...], noise: float) -> Tensor:
    """How much higher the target's probability is without the lowest of the pixels than without the highest.

    For each of `shares` (batch, shares), float64. What is gone is imputed from its neighbours, plus normal noise of
    `noise` in normalised space (ROAD; Rong et al., 2022).
    """
    order = pixel_order(explained)
    lowest, highest = (
        outputs_while_masked(explained, _imputed(explained, first, shares, noise), "probability")
        for first in (order[0].numel() - 1 - order, order)
    )
    return lowest - highest


def _imputed(explained: Explained, order: Tensor, shares: tuple[float, ...], noise: float) -> Iterator[Tensor]:
    """The images without the first of the order, for each share."""
    images = explained.images
    for share in shares:
        missing = order < round(share * order[0].numel())
        drawn = noise * explained.rng.of("imputation").normal(images.shape[1:], images, share)
        yield torch.where(missing[:, None], linear_imputation(images, missing) + drawn, images)


def clean_outputs(explained: Explained, output: Output) -> Tensor:
    """The target's output for the untouched images, float64, (batch,)."""
    return target_outputs(explained.clean.double(), explained.targets, output, explained.network.output)
