"""Compiled forward passes: by a back end of torch.compile, tried once, done without where it does not work."""

import logging
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor, nn

from bench.handed import Compiler, Network

CANDIDATES: dict[str, tuple[Compiler, ...]] = {"cpu": ("inductor",), "cuda": ("inductor", "cudagraphs")}

_log = logging.getLogger("heatmark")


# A few only: it keeps the networks that it has compiled.
@lru_cache(maxsize=4)
def compiled(module: nn.Module, compiler: Compiler) -> Callable[[Tensor], Tensor]:
    """The module compiled for each shape that it is given; nothing happens before the first."""
    return torch.compile(module, backend=compiler, dynamic=False)


def full_chunk(network: Network, images: Tensor, chunk: int) -> Tensor:
    """Logits of at most `chunk` images by the compiled network, filled up to one shape: each would be compiled anew."""
    missing = images[-1:].expand(chunk - len(images), -1, -1, -1)
    logits = compiled(network.module, network.compiler)(torch.cat([images, missing]) if len(missing) else images)
    # The graph writes its next output to the same place.
    return logits[: len(images)].clone()


def works(network: Network, trial: Callable[[], object]) -> bool:
    """Whether the network runs compiled; if not, one line of the log says why."""
    try:
        trial()
    except Exception as error:  # noqa: BLE001 - a compiler may fail in any way, and the run goes on without it
        _log.warning("%s goes on without %s: %s", network.name, network.compiler, reason(error))
        return False
    return True


def reason(error: BaseException) -> str:
    """One line for people on why something could not be compiled."""
    if "C++ compiler" in str(error) or "CppCompile" in type(error).__name__:
        return "it needs a C++ compiler (install g++ or clang++, or name one in CXX)"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
