"""Layers of a network by name, or the last that gives a spatial map."""

import torch
from torch import Tensor, nn

from bench.api import Network, UnsupportedError
from bench.errors import nearest


def spatial_layer(network: Network, images: Tensor, layer: str = "") -> nn.Module:
    """The layer of this name, or the last to give a map (batch, maps, height, width) of more than one pixel.

    Raises UnsupportedError naming the network where there is none.
    """
    parts = {name: part for name, part in network.module.named_modules() if name}
    if layer:
        if layer not in parts:
            raise UnsupportedError(f"network {network.name!r} has no layer {layer!r}; {nearest(layer, parts)}")
        chosen: nn.Module = parts[layer]
        return chosen
    found: list[nn.Module] = []

    def watch(part: nn.Module, _: tuple[Tensor, ...], output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            found.append(part)

    handles = [part.register_forward_hook(watch) for part in parts.values()]
    try:
        with torch.no_grad():
            network.module(images[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not found:
        raise UnsupportedError(f"network {network.name!r} has no layer with a spatial map")
    return found[-1]
