"""A classifier under test, what it expects of its input, and between its input and pixels in [0, 1]."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import torch
from torch import Tensor, nn

from bench.errors import HeatmarkError, nearest
from bench.functional.outputs import logits_from, target_outputs
from bench.settings import KINDS, LARGEST, Compiler, Interpolation, OutputKind, Precision

_SINGLE = ("logit", "number")
_MEANING: dict[OutputKind, str] = {
    "logits": "logits of several classes (batch, outputs)",
    "logit": "one logit per image, (batch,) or (batch, 1)",
    "probabilities": "probabilities of several classes (batch, outputs)",
    "labels": "a logit for each of several labels (batch, labels)",
    "number": "one number per image, (batch,) or (batch, 1)",
}


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= LARGEST


def _is_size(value: Any) -> bool:
    return isinstance(value, tuple | list) and len(value) == 2 and all(map(_is_count, value))


def _are_numbers(values: Any) -> bool:
    if not isinstance(values, tuple | list) or not values or any(isinstance(own, bool) for own in values):
        return False
    return all(isinstance(own, int | float) and math.isfinite(own) for own in values)


def _check_choice(where: str, value: Any, known: Iterable[str]) -> None:
    if value not in known:
        raise HeatmarkError(f"{where} {value!r}: {nearest(str(value), known)}")


@dataclass(frozen=True)
class Preprocess:
    """How a network wants its input: resized, cut out of the centre, normalised.

    `resize` is the length of the shorter side, or (height, width) to squash to; None means straight to `size`. Images
    are resized by this `interpolation`; without `antialias` nothing is smoothed before, however much smaller they get.
    """

    size: tuple[int, int] = (64, 64)
    resize: int | tuple[int, int] | None = None
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    interpolation: Interpolation = "bilinear"
    antialias: bool = True

    def __post_init__(self) -> None:
        if not _are_numbers(self.mean):
            raise HeatmarkError(f"preprocess: mean {self.mean!r}: expected finite numbers")
        if not _are_numbers(self.std) or min(self.std) <= 0:
            raise HeatmarkError(f"preprocess: std {self.std!r}: expected finite numbers above 0")
        if not _is_size(self.size):
            raise HeatmarkError(f"preprocess: size {self.size!r}: expected a height and a width of 1 or more")
        if not (self.resize is None or _is_count(self.resize) or _is_size(self.resize)):
            raise HeatmarkError(f"preprocess: resize {self.resize!r}: expected a whole number from 1, or two of them")
        _check_choice("preprocess: interpolation", self.interpolation, get_args(Interpolation))
        if not isinstance(self.antialias, bool):
            raise HeatmarkError(f"preprocess: antialias {self.antialias!r}: expected True or False")


@dataclass(frozen=True)
class Network:
    """A classifier, what it expects of its input, and how data set labels map to its outputs.

    `label_map[label]` is the output for a label of the data set, -1 where the network has none;
    None means that labels are outputs. `chunk` is how many inputs go through at once, `precision` that of the
    engine's forward passes and `compiler` the back end of torch.compile, or "openvino", for them (gradients and clean
    predictions are always computed as the module is). In "mixed" precision curves of probabilities are computed in
    bf16, and again in fp32 where they could lie off by more than `tolerance` of the area's range. `output` says what
    the module returns: "logits" of classes; one "logit" of class 1 against class 0; "probabilities" of classes;
    "labels", a logit for each of several labels; a "number".
    """

    module: nn.Module
    name: str = "network"
    recipe: str = ""
    preprocess: Preprocess = Preprocess()
    label_map: tuple[int, ...] | None = None
    chunk: int = 32
    precision: Precision = "fp32"
    compiler: Compiler = "none"
    tolerance: float = 5e-4
    output: OutputKind = "logits"

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            raise HeatmarkError(f"network: module: expected a torch.nn.Module, got {type(self.module).__name__}")
        if not isinstance(self.name, str) or not self.name.isprintable():
            raise HeatmarkError(f"network: name {self.name!r}: expected a text in one line")
        if not isinstance(self.preprocess, Preprocess):
            raise HeatmarkError(f"network {self.name!r}: preprocess: expected a Preprocess, got {self.preprocess!r}")
        if not _is_count(self.chunk):
            raise HeatmarkError(f"network {self.name!r}: chunk {self.chunk!r}: expected a whole number from 1")
        if not _are_numbers((self.tolerance,)) or self.tolerance <= 0:
            raise HeatmarkError(f"network {self.name!r}: tolerance {self.tolerance!r}: expected a number above 0")
        labels = self.label_map
        if labels is not None and not (isinstance(labels, tuple | list) and all(_is_count(own, -1) for own in labels)):
            raise HeatmarkError(
                f"network {self.name!r}: label_map {labels!r:.80}: expected an output, or -1, per label"
            )
        for key, known in (("precision", get_args(Precision)), ("compiler", get_args(Compiler)), ("output", KINDS)):
            _check_choice(f"network {self.name!r}: {key}", getattr(self, key), known)

    def raw(self, images: Tensor) -> Tensor:
        """What the module returns of images (batch, channel, height, width), (batch, outputs) in float32 at least.

        Images are cast to the precision of the module's weights. HeatmarkError for anything else than declared.
        """
        dtype = next((weights.dtype for weights in self.module.parameters() if weights.is_floating_point()), None)
        given = images if dtype is None or images.dtype == dtype else images.to(dtype)
        return _raw(self.module(given), self.output, self.name)

    def logits(self, images: Tensor) -> Tensor:
        """All logits (batch, outputs) of images (batch, channel, height, width); HeatmarkError for anything else.

        For one logit those of classes 0 and 1, for probabilities their logarithms, for a number itself.
        """
        return logits_from(self.raw(images), self.output)

    def logits_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The logit of each image's target, (batch,)."""
        return target_outputs(self.logits(images), targets)

    def probabilities_of(self, images: Tensor, targets: Tensor) -> Tensor:
        """The probability of each image's target, (batch,): softmax, or sigmoid for one logit and several labels."""
        return target_outputs(self.logits(images), targets, "probability", self.output)

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


def _raw(returned: Any, kind: OutputKind, network_name: str) -> Tensor:
    """What a network of this kind returned as (batch, outputs), in float32 at least.

    Raises HeatmarkError that says what to set where it is of another kind or no tensor.
    """
    outputs = returned[:, None] if isinstance(returned, Tensor) and returned.ndim == 1 else returned
    if not isinstance(outputs, Tensor) or outputs.ndim != 2 or (returned.ndim == 1 and kind not in _SINGLE):
        given = (
            f"a tensor of shape {tuple(returned.shape)}" if isinstance(returned, Tensor) else type(returned).__name__
        )
        raise HeatmarkError(f"network {network_name!r} returns {given}; expected {_MEANING[kind]}{_hint(returned)}")
    if not outputs.is_floating_point():
        raise HeatmarkError(f"network {network_name!r} returns {outputs.dtype}; expected floating point")
    single = outputs.shape[1] == 1
    if single and kind in ("logits", "probabilities"):
        raise HeatmarkError(
            f'network {network_name!r} has one output; set output = "logit" (a class by its sigmoid), "labels" or '
            f'"number", expected {_MEANING[kind]}'
        )
    if not single and kind in _SINGLE:
        raise HeatmarkError(
            f'network {network_name!r} has {outputs.shape[1]} outputs and output = "{kind}": {_MEANING[kind]}; set '
            'output = "logits" or "labels"'
        )
    return outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs


def _hint(returned: Any) -> str:
    if isinstance(returned, Tensor) and returned.ndim == 1:
        return ', or set output = "logit" or "number"'
    return ""
