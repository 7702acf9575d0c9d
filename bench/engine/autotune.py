"""The fastest chunk size and compiler, measured once on a machine and remembered in a file."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

import torch
from torch import Tensor

from bench.api import Compiler, Network
from bench.engine.compiled import candidates, works
from bench.engine.memory_limit import MemoryLimit
from bench.engine.predict import fastest_chunk, forwards_only, logits_in_chunks, seconds_of, usual_most
from bench.files import locked, sealed, set_aside, unsealed, write_whole

T = TypeVar("T")
_NOISE = 8
_MOST = 2**16


def remembered_chunk(
    network: Network, architecture: str, device: torch.device, file: Path, limit: MemoryLimit | None = None
) -> int:
    """The chunk size for this architecture, input size and device; measured when `file` does not know it.

    It keeps within the limit, and is measured once for each size that one leaves room for.
    """
    name, plain = _name(network, architecture, device), replace(network, compiler="none")
    images, most = _noise(network, device), None
    if limit is not None:
        most = min(limit.most_at_once(plain, images[:1]), usual_most(plain, images[:1]))
        name += f" up to {most}"
    return _remembered(file, name, lambda: fastest_chunk(plain, images, most))


def remembered_compiler(
    network: Network, architecture: str, device: torch.device, file: Path, wanted: Compiler | Literal["auto"]
) -> Compiler:
    """The compiler that is wanted, or for `auto` the fastest; "none" where it does not work or is no faster."""
    if wanted == "none":
        return "none"
    images = _noise(network, device)[torch.arange(network.chunk) % _NOISE]
    if wanted == "auto":
        # What was fastest among others may not even be at hand.
        name = f"{_name(network, architecture, device)} {' '.join(candidates(device))} compiler"
        compiler = _remembered(file, name, lambda: _fastest_compiler(network, images))
    else:
        compiler = wanted
    own = replace(network, compiler=compiler)
    # It may not work for these weights, although it did for those of the architecture that were measured.
    return compiler if compiler == "none" or works(own, partial(logits_in_chunks, own, images)) else "none"


def _fastest_compiler(network: Network, images: Tensor) -> Compiler:
    seconds: dict[Compiler, float] = {}
    for compiler in candidates(images.device):
        own = replace(network, compiler=compiler)
        if works(own, partial(logits_in_chunks, own, images)):
            with forwards_only(own, images) as ready:
                seconds[compiler] = seconds_of(ready, images)
    return min(seconds, key=seconds.__getitem__)


def _name(network: Network, architecture: str, device: torch.device) -> str:
    height, width = network.preprocess.size
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{architecture} {height}x{width} {network.precision} {device.type} {kind}"


def _noise(network: Network, device: torch.device) -> Tensor:
    shape = (_NOISE, len(network.preprocess.mean), *network.preprocess.size)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    return noise.to(device, memory_format=torch.channels_last)


def _remembered(file: Path, name: str, measure: Callable[[], T]) -> T:
    known: T | None = read_notes(file).get(name)
    if known is not None:
        return known
    measured = measure()
    with locked(file.with_name(f".{file.name}.lock"), str(file)):
        notes = read_notes(file)
        # Of two runs that measure at once the first is believed by both: results hang on the chunk by rounding.
        kept: T = notes.setdefault(name, measured)
        write_whole(file, sealed(dict(sorted(notes.items()))))
    return kept


def read_notes(file: Path) -> dict[str, Any]:
    """Chunk sizes and compilers by name; a damaged file is set aside. One without a checksum is somebody's own."""
    try:
        return checked_notes(file.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        set_aside(file, str(error))
        return {}


def checked_notes(content: bytes) -> dict[str, Any]:
    """The notes in a file of this content; ValueError where it is damaged."""
    notes = unsealed(content, must=False)
    for name, value in notes.items():
        _check(name, value)
    return notes


def _check(name: str, value: Any) -> None:
    """ValueError where this cannot have been measured."""
    if name.endswith(" compiler"):
        if value not in get_args(Compiler):
            raise ValueError(f"{name!r} is {value!r:.40}")
    elif not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST:
        raise ValueError(f"{name!r} is {value!r:.40}, expected a number of images from 1")
