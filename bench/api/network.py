"""A classifier under test, what it expects of its input, and between its input and pixels in [0, 1]."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.errors import HeatmarkError
from bench.functional.outputs import target_outputs
from bench.settings import Compiler, Precision


@dataclass(frozen=True)
class Preprocess:
    """How a network wants its input: resized, cut out of the centre, normalised.

    `resize` is the length of the shorter side, or (height, width) to squash to; None means straight to `size`.
    """

    size: tuple[int, int] = (64, 64)
    resize: int | tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Network:
    """A classifier, what it expects of its input, and how data set labels map to its outputs.

    `label_map[label]` is the output for a label of the data set, -1 where the network has none;
    None means that labels are outputs. `chunk` is how many inputs go through at once, `precision` that of the
    engine's forward passes and `compiler` the back end of torch.compile for them (gradients and clean predictions
    are always computed as the module is).
    """

    module: nn.Module
    name: str = "network"
    recipe: str = ""
    preprocess: Preprocess = Preprocess()
    label_map: tuple[int, ...] | None = None
    chunk: int = 32
    precision: Precision = "fp32"
    compiler: Compiler = "none"

    def logits(self, images: Tensor) -> Tensor:
        """All logits (batch, outputs) of images (batch, channel, height, width); HeatmarkError for anything else."""
        logits: Tensor = self.module(images)
        if not isinstance(logits, Tensor) or logits.ndim != 2:
            given = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
            raise HeatmarkError(f"network {self.name!r} returns {given}; expected logits, a tensor (batch, outputs)")
        return logits

    def logits_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The logit of each image's target, (batch,)."""
        return target_outputs(self.logits(images), targets)

    def probabilities_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The softmax probability of each image's target, (batch,)."""
        return target_outputs(self.logits(images), targets, "probability")

    def outputs_of(self, labels: Tensor) -> Tensor:
        """The outputs that stand for these labels of the data set, -1 where there is none."""
        if self.label_map is None:
            return labels
        return torch.tensor(self.label_map, device=labels.device)[labels]

    def known_outputs(self, outputs: int) -> list[int]:
        """Those of all `outputs` that stand for a label of the data set; HeatmarkError where a label has another."""
        known = sorted({output for output in self.label_map or range(outputs) if output >= 0})
        if known and known[-1] >= outputs:
            raise HeatmarkError(f"network {self.name!r}: label_map names output {known[-1]}, the last is {outputs - 1}")
        return known


def to_pixels(images: Tensor, preprocess: Preprocess) -> Tensor:
    """Images (batch, channel, height, width) in [0, 1] from normalised ones."""
    return images * pixel_scale(images, preprocess) + _per_channel(preprocess.mean, images)


def from_pixels(pixels: Tensor, preprocess: Preprocess) -> Tensor:
    """Normalised images from pixels (batch, channel, height, width) in [0, 1]."""
    return (pixels - _per_channel(preprocess.mean, pixels)) / pixel_scale(pixels, preprocess)


def pixel_scale(images: Tensor, preprocess: Preprocess) -> Tensor:
    """How much of the pixel range one normalised unit is, (channel | 1, 1, 1): the network's standard deviation."""
    return _per_channel(preprocess.std, images)


def _per_channel(values: tuple[float, ...], images: Tensor) -> Tensor:
    if len(set(values)) == 1:
        values = values[:1]
    elif len(values) != images.shape[1]:
        raise HeatmarkError(f"the network's preprocess has {len(values)} channels, its images have {images.shape[1]}")
    return torch.tensor(values, dtype=images.dtype, device=images.device)[:, None, None]
