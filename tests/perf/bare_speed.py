"""The bound: the bare network at its best batch and memory layout, its input in memory already."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from bench.api import ImageRandom, Network, Preprocess, Request
from bench.engine.predict import forwards_only
from bench.methods.attributions.random_map import RandomMap
from bench.scoring.measure import Explained, explained_by
from bench.training.architectures import build
from tests.perf.contestants import Contestant, seconds_of

BATCHES = {"cpu": (1, 2, 4, 8, 16, 32), "cuda": (8, 16, 32, 64, 128, 256)}
TRIALS, ENOUGH = 3, 0.3
# More images than a cache holds: a network that is to see many must fetch them.
IN_MEMORY = 64
Passes = Callable[[Network, Tensor, int, int], None]


def forwards(network: Network, images: Tensor, batch: int, passes: int) -> None:
    """So many images through the network, `batch` at a time, those in memory again and again."""
    with forwards_only(network, images):
        for inputs in _batches(images, batch, passes):
            network.module(inputs)


def gradients(network: Network, images: Tensor, batch: int, passes: int) -> None:
    """The gradient of the first logit in so many images."""
    weights = list(network.module.parameters())
    for weight in weights:
        weight.requires_grad_(False)
    for own in _batches(images, batch, passes):
        inputs = own.detach().requires_grad_()
        torch.autograd.grad(network.module(inputs)[:, 0].sum(), inputs)
    for weight in weights:
        weight.requires_grad_(True)


def _batches(images: Tensor, batch: int, passes: int) -> Iterator[Tensor]:
    for done in range(0, passes, batch):
        start = done % (len(images) - batch + 1)
        yield images[start : start + min(batch, passes - done)]


def bound(network: Network, passes: int, make: Passes = forwards) -> Contestant:
    """The bare network, at the batch size and memory layout in which it is fastest here."""
    device = next(network.module.parameters()).device
    runs: dict[str, Callable[[], None]] = {}
    seconds: dict[str, float] = {}
    pool = noise(network, max(IN_MEMORY, *BATCHES[device.type]), device)
    for name, layout in (("contiguous", torch.contiguous_format), ("channels last", torch.channels_last)):
        own, images = replace(network, module=_copy(network.module, layout)), pool.contiguous(memory_format=layout)
        for batch in BATCHES[device.type]:
            key = f"batch {batch}, {name}"
            runs[key] = partial(make, own, images, batch, passes)
            short = partial(make, own, images, batch, batch)
            short()
            trials = [seconds_of(short)]
            while len(trials) < TRIALS or sum(trials) < ENOUGH:
                trials.append(seconds_of(short))
            seconds[key] = min(trials) / batch
    best = min(seconds, key=seconds.__getitem__)
    return Contestant("bare network", runs[best], passes, best)


def noise(network: Network, count: int, device: torch.device) -> Tensor:
    """Random images of the size that the network takes."""
    shape = (count, len(network.preprocess.mean), *network.preprocess.size)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(device)


def untrained(architecture: str, size: int, device: torch.device, chunk: int = 32) -> Network:
    """A network with random weights, in channels-last as the runner has it."""
    torch.manual_seed(0)
    module = build(architecture, 1000 if size > 64 else 10).eval().to(device, memory_format=torch.channels_last)
    return Network(module, architecture, preprocess=Preprocess(size=(size, size)), chunk=chunk)


def random_maps(network: Network, images: int, device: torch.device) -> Explained:
    """Random images with random heatmaps: what the engine has to do does not depend on what they show."""
    shown = noise(network, images, device).contiguous(memory_format=torch.channels_last)
    request = Request(shown, torch.arange(images, device=device), ImageRandom(0, "run", tuple(map(str, range(images)))))
    with torch.inference_mode():
        clean = network.module(shown).clone()
    return explained_by(RandomMap(), network, request, clean)


def _copy(module: nn.Module, layout: torch.memory_format) -> nn.Module:
    return deepcopy(module).to(memory_format=layout)
