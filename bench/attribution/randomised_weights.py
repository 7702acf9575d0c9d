"""Networks whose trained weights are drawn anew, layer by layer."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from bench.api import ImageRandom, Network


def layers_of(module: nn.Module) -> list[str]:
    """The names of the parts that own weights themselves, in order of definition, which is that of depth."""
    return [name for name, part in module.named_modules() if any(True for _ in part.parameters(recurse=False))]


def randomised(network: Network, layers: Sequence[str], rng: ImageRandom) -> Network:
    """A copy of the network with the weights of these layers drawn anew, the same for every image of the run.

    Normal numbers with the mean and the standard deviation of the weights that they replace, so that outputs keep
    their scale. Running statistics stay.
    """
    module = copy.deepcopy(network.module)
    with torch.no_grad():
        for name in layers:
            for kind, weights in module.get_submodule(name).named_parameters(recurse=False):
                draws = torch.from_numpy(rng.shared(f"{name}.{kind}").standard_normal(tuple(weights.shape)))
                weights.copy_(draws.to(weights) * weights.std(correction=0) + weights.mean())
    return replace(network, module=module, compiler="none")
