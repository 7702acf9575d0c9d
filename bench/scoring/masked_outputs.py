"""The target's output while parts of the images are taken away, for metrics whose masks are not rank maps."""

from collections.abc import Iterable

import torch
from torch import Tensor

from bench.api import Explained
from bench.engine import logits_in_chunks


def targets_of(explained: Explained, shown: Iterable[Tensor], *, probability: bool) -> Tensor:
    """The target's output for each version of the batch of images, float64, (batch, versions)."""
    outputs = []
    for images in shown:
        logits = logits_in_chunks(explained.network, images).double()
        outputs.append(target_of(logits, explained.targets, probability=probability))
    return torch.stack(outputs, 1)


def target_of(logits: Tensor, targets: Tensor, *, probability: bool) -> Tensor:
    """The target's logit or softmax probability (batch,) among logits (batch, outputs)."""
    outputs = logits.softmax(1) if probability else logits
    return outputs.gather(1, targets[:, None])[:, 0]
