"""Forward passes in chunks, and how large a chunk should be."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor

from bench.api import Network, Precision
from bench.api.module_state import convolutions, evaluating
from bench.engine.compiled import compiled, constant_weights, full_chunk
from bench.engine.folding import folded
from bench.engine.memory_limit import kept_for_gradients
from bench.errors import HeatmarkError

_log = logging.getLogger("heatmark")
_CANDIDATES = (4, 8, 16, 32, 64, 128, 256, 512)
# A larger chunk must be this much faster per image to be worth its memory.
_WORTHWHILE = 0.97
# A chunk is measured this many times at least, and for this many seconds.
_TRIALS, _ENOUGH = 3, 0.3
# All chunks are measured so many times in turn: where a machine is busy for a while that hits them alike.
_ROUNDS = 3
# What a chunk may keep for its gradients: so many bytes, on a GPU this share of its memory. Nobody says in time that
# a machine's own memory is used up.
_ROOM, _SHARE = 2**30, 0.25
# Where one pass takes this many seconds, larger chunks would gain little and take minutes to measure.
_LONG = 4.0
# Where nothing is measured: the pixels of a chunk on a processor, and the fewest and most images of one.
_PIXELS, _FEWEST, _MOST = 16 * 224 * 224, 16, 64


def logits_in_chunks(network: Network, images: Tensor) -> Tensor:
    """Logits (batch, outputs) of images (batch, channel, height, width), the network in evaluation mode."""
    with forwards_only(network, images) as ready:
        return forward(ready, images, network.chunk)[0].clone()


def clean_logits(network: Network, images: Tensor) -> Tensor:
    """Logits of untouched images by the module as it is, in its own precision: they decide targets and accuracy.

    HeatmarkError where the network changes its input in place: whatever is shown to it next would be another image.
    """
    plain, given = replace(network, precision="fp32", compiler="none"), images.detach().clone()
    with evaluating(network.module), torch.inference_mode():
        logits = forward(plain, given, network.chunk)[0].clone()
    if not ((given == images) | images.isnan()).all():
        raise HeatmarkError(f"network {network.name!r} changes the images that it is given, in place")
    return logits


@contextmanager
def forwards_only(network: Network, images: Tensor) -> Iterator[Network]:
    """Evaluation mode, no gradients, the network's precision; inside, the network in its fastest form for such images.

    Meant to last for a whole queue: weights are folded, and cast to bf16, once for as long as it lasts.
    """
    ready = folded(network, images) if network.compiler == "none" else compiled(network)
    with (
        evaluating(network.module),
        torch.inference_mode(),
        _in_precision(network.precision, images.device),
        constant_weights(network.compiler),
    ):
        yield ready


def forward(network: Network, images: Tensor, limit: int) -> tuple[Tensor, int]:
    """Logits of images that go through the network of `forwards_only` `limit` at a time, and the limit to go on with.

    Out of memory halves the limit, says so in one line of the log, and carries on.
    """
    done: list[Tensor] = []
    position = 0
    while position < len(images):
        try:
            part = _logits(network, images[position : position + limit], limit)
            done.append(part.to(torch.promote_types(images.dtype, torch.float32)))
            position += limit
        except torch.OutOfMemoryError:
            if limit == 1:
                raise
            limit = (limit + 1) // 2
            _log.warning("out of memory on %s: going on with chunks of %d", network.name, limit)
    return torch.cat(done) if len(done) > 1 else done[0], limit


def _logits(network: Network, images: Tensor, limit: int) -> Tensor:
    return network.logits(images) if network.compiler == "none" else full_chunk(network, images, limit)


@contextmanager
def _in_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    if precision in ("fp32", "mixed"):
        yield
    elif precision == "bf16":
        with torch.autocast(device.type, torch.bfloat16):
            yield
    else:
        before = torch.get_float32_matmul_precision()
        torch.set_float32_matmul_precision("high")
        try:
            with convolutions(tf32=True):
                yield
        finally:
            torch.set_float32_matmul_precision(before)


def usual_chunk(network: Network, device: torch.device) -> int:
    """A chunk for a network of which nothing was measured; on the processors looked at it is nearly the fastest.

    There 16 images of 224 x 224 or more, and up to 64 smaller ones; elsewhere what the network has.
    """
    height, width = network.preprocess.size
    return min(max(_PIXELS // (height * width), _FEWEST), _MOST) if device.type == "cpu" else network.chunk


def usual_most(network: Network, image: Tensor) -> int:
    """The largest chunk where nobody says how much memory it may take: what its gradients have room for, 4 at least."""
    return max(room(image.device) // max(1, kept_for_gradients(network, image)), _CANDIDATES[0])


def fastest_chunk(network: Network, images: Tensor, most: int | None = None) -> int:
    """The smallest chunk that is nearly as fast as the fastest, measured on images (any, channel, height, width).

    None has more images than `most`, by default than the usual memory has room for.
    """
    most = usual_most(network, images[:1]) if most is None else most
    sizes = [size for size in _CANDIDATES if size <= most] or [most]
    with forwards_only(network, images) as ready:
        seconds = _each(ready, images, sizes)
        for _ in range(_ROUNDS - 1):
            again = _each(ready, images, list(seconds))
            seconds = {size: min(own, again.get(size, own)) for size, own in seconds.items()}
    least = min(seconds.values(), default=0.0)
    # Where not even the smallest fits, the queue halves it.
    return next((chunk for chunk, each in seconds.items() if each * _WORTHWHILE <= least), sizes[0])


def _each(network: Network, images: Tensor, sizes: Sequence[int]) -> dict[int, float]:
    """Seconds per image by the size of the chunk, up to where larger ones gain nothing, take long, or do not fit."""
    seconds: dict[int, float] = {}
    for size in sizes:
        inputs = images[torch.arange(size) % len(images)]
        try:
            seconds[size] = seconds_of(network, inputs, 1, _ENOUGH / _ROUNDS) / size
        except torch.OutOfMemoryError:
            break
        if size >= 4 * min(seconds, key=seconds.__getitem__) or seconds[size] * size > _LONG:
            break
    return seconds


def room(device: torch.device) -> int:
    """The bytes that a chunk may keep for its gradients."""
    return int(torch.cuda.get_device_properties(device).total_memory * _SHARE) if device.type == "cuda" else _ROOM


def seconds_of(network: Network, inputs: Tensor, trials: int = _TRIALS, enough: float = _ENOUGH) -> float:
    """The least seconds of some passes by the network of `forwards_only`: what a busy machine disturbs least.

    They are `trials` at least, and take as many seconds as are `enough`.
    """
    # Where one thread does all the work its own time tells more than the clock on the wall.
    alone = inputs.device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if alone else time.perf_counter
    seconds: list[float] = []
    while len(seconds) < trials or sum(seconds) < enough:
        _wait(inputs)
        began = clock()
        _logits(network, inputs, len(inputs))
        _wait(inputs)
        seconds.append(clock() - began)
    return min(seconds)


def _wait(inputs: Tensor) -> None:
    if inputs.device.type == "cuda":
        torch.cuda.synchronize(inputs.device)
