"""How many images may go through a network at once in the memory that a process is given."""

import logging
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from bench.api import Network
from bench.api.module_state import evaluating
from bench.engine.allocator import give_back_free_blocks
from bench.errors import HeatmarkError

_log = logging.getLogger("heatmark")
_STATUS = Path("/proc/self/statm")
_UNITS = {"": 1} | {f"{p}{b}": n**i for i, p in enumerate("kMGT", 1) for b, n in (("B", 1000), ("iB", 1024))}
# Of what the layers keep of an image for its gradient: what the dearest methods and metrics take. DeepLIFT shows an
# image with its reference, attacks on maps take gradients of gradients.
_TIMES = 3
# Copies of an image that go along with it: its mask, what is shown behind that, its baseline, its place on a path.
_COPIES = 8
# What plug-ins import when they are first used, and what a pass needs beside its layers.
_BESIDE = 2**28
# Images in the memory of a batch besides its maps: as they were loaded, copied for a plug-in, and the batch after it.
_AROUND = 4
# What the maps of one method take in images: attributions and a heatmap.
_MAPS = 4 / 3


@dataclass(frozen=True)
class MemoryLimit:
    """Bytes that a process may take in all: of the GPU, or else of main memory, its libraries among them.

    `batch` images and their maps by `methods` are held there beside what goes through a network.
    """

    memory: int
    batch: int
    methods: int

    def most_at_once(self, network: Network, image: Tensor) -> int:
        """The most images like this one (1, channel, height, width) at once, a power of two.

        HeatmarkError with how much it takes where not even one fits.
        """
        each = _TIMES * kept_for_gradients(network, image) + _COPIES * image.nbytes
        held = round(self.batch * (self.methods + _AROUND) * _MAPS * image.nbytes) + _BESIDE
        before = taken(image.device) + held
        most = (self.memory - before) // each
        if most < 1:
            raise HeatmarkError(
                f"memory {written(self.memory)}: one image at a time of {tuple(image.shape[1:])} through network "
                f"{network.name!r} takes about {written(each)}, beside {written(before)} for all else; expected "
                f"{written(before + each)} at least"
            )
        return int(1 << (most.bit_length() - 1))


def memory_of(said: str | int | None, where: str) -> int | None:
    """Bytes that were said as `3GB`, `2500MiB` or a whole number; HeatmarkError naming `where` for anything else."""
    if said is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([kMGT]i?B|)", str(said))
    size = 0 if found is None or isinstance(said, bool) else round(float(found[1]) * _UNITS[found[2]])
    if size < 1:
        raise HeatmarkError(f"{where}: {said!r:.40}: expected a size, as 3GB or 2500MiB")
    return size


def written(size: int) -> str:
    """Bytes as `memory_of` reads them, rounded up, so that what is said to be enough is."""
    return f"{-(-size // 10**7) / 100}GB" if size >= 10**9 else f"{-(-size // 10**6)}MB"


def taken(device: torch.device) -> int:
    """Bytes that this process takes now, without what is free inside them: of the GPU, or else of main memory."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    give_back_free_blocks()
    if _STATUS.exists():
        return int(_STATUS.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return peak_memory(device)


def peak_memory(device: torch.device) -> int:
    """Bytes that this process has taken at most: of the GPU, or else of main memory."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    import resource  # which not every system has

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def kept_for_gradients(network: Network, images: Tensor) -> int:
    """Bytes that the layers keep of these images until the gradient of them is taken; 0 where there is none."""
    kept: dict[int, int] = {}
    weights = {own.untyped_storage().data_ptr() for own in (*network.module.parameters(), *network.module.buffers())}

    def keep(own: Tensor) -> Tensor:
        storage = own.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return own

    hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda own: own)
    with evaluating(network.module), torch.inference_mode(False), torch.enable_grad(), hooks:
        try:
            network.logits(images.clone().requires_grad_())
        except RuntimeError as error:
            _log.debug("no gradient of %s: %s", network.name, error)
    return sum(kept.values())
