"""Batch norm whose statistics are constants to the gradient."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


@contextmanager
def constant_statistics(module: nn.Module) -> Iterator[None]:
    """Inside, batch norm in training mode normalises by the batch's own mean and variance as constants.

    Neither the input gradient nor the gradient of the weights flows through them, and the running
    statistics do not move. Layers in evaluation mode are constants already and stay as they are.
    """
    layers = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.training]
    tracking = [layer.track_running_stats for layer in layers]
    hooks = [layer.register_forward_hook(_with_constant_statistics) for layer in layers]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer, before, hook in zip(layers, tracking, hooks, strict=True):
            layer.track_running_stats = before
            hook.remove()


def _with_constant_statistics(layer: _BatchNorm, inputs: tuple[Any, ...], _: Tensor) -> Tensor:
    (values,) = inputs
    dims = [dim for dim in range(values.ndim) if dim != 1]
    mean, variance = values.detach().mean(dims), values.detach().var(dims, correction=0)
    return F.batch_norm(values, mean, variance, layer.weight, layer.bias, training=False, eps=layer.eps)
