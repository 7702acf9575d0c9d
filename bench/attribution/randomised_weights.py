"""Networks whose trained weights are drawn anew, layer by layer."""

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from bench.api import ImageRandom, Network
from bench.api.module_state import unwrapped


def layers_of(module: nn.Module) -> list[str]:
    """The names of the parts that own weights themselves, in order of definition, which is that of depth.

    They are those of the network itself, whatever is wrapped around it.
    """
    parts = unwrapped(module).named_modules()
    return [name for name, part in parts if any(True for _ in part.parameters(recurse=False))]


def randomised(network: Network, layers: Sequence[str], rng: ImageRandom) -> Network:
    """A copy of the network with the weights of these layers drawn anew, the same for every image of the run.

    Normal numbers with the mean and the standard deviation of the weights that they replace, so that outputs keep
    their scale. Running statistics stay. What is drawn for a tensor hangs on its shape and on how many of that shape
    are defined before it: on no name, on nothing around the network, and not on which other layers are drawn.
    """
    module = copy.deepcopy(unwrapped(network.module))
    chosen = {id(own) for name in layers for own in module.get_submodule(name).parameters(recurse=False)}
    seen: Counter[tuple[int, ...]] = Counter()
    with torch.no_grad():
        for weights in module.parameters():
            shape = tuple(weights.shape)
            if id(weights) in chosen:
                own = weights.to(torch.promote_types(weights.dtype, torch.float32))
                draws = torch.from_numpy(rng.shared((shape, seen[shape])).standard_normal(shape))
                weights.copy_(draws.to(own) * own.std(correction=0) + own.mean())
            seen[shape] += 1
    return replace(network, module=module, compiler="none")
