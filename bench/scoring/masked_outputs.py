"""The target's output while parts of the images are taken away, for metrics whose masks are not rank maps."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bench.api import Explained
from bench.engine import logits_in_chunks
from bench.functional.outputs import Output, target_outputs


def outputs_while_masked(explained: Explained, shown: Iterable[Tensor], output: Output) -> Tensor:
    """The target's output for each version of the batch of images, float64, (batch, versions)."""
    versions = [logits_in_chunks(explained.network, images).double() for images in shown]
    return torch.stack(
        [target_outputs(logits, explained.targets, output, explained.network.output) for logits in versions], 1
    )


def clean_outputs(explained: Explained, output: Output) -> Tensor:
    """The target's output for the untouched images, float64, (batch,)."""
    return target_outputs(explained.clean.double(), explained.targets, output, explained.network.output)
