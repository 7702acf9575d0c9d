"""The target's output while parts of the images are taken away, for metrics whose masks are not rank maps."""

from collections.abc import Iterable
from itertools import islice

import torch
from torch import Tensor

from bench.api import Explained
from bench.engine.predict import forward, forwards_only
from bench.functional.outputs import Output, target_outputs


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


def clean_outputs(explained: Explained, output: Output) -> Tensor:
    """The target's output for the untouched images, float64, (batch,)."""
    return target_outputs(explained.clean.double(), explained.targets, output, explained.network.output)
