"""Data-parallel training over the processes that torchrun started, by torch's own DistributedDataParallel."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


@contextmanager
def team(device: torch.device) -> Iterator[torch.device]:
    """Inside, this process is one of those that torchrun started, on a device of its own; alone without torchrun."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    own = torch.device("cuda", int(os.environ["LOCAL_RANK"])) if device.type == "cuda" else device
    if own.type == "cuda":
        torch.cuda.set_device(own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    try:
        yield own
    finally:
        distributed.destroy_process_group()


def members() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 writes files."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def share(positions: Sequence[int]) -> Sequence[int]:
    """The part of a batch that falls to this process."""
    return positions[rank() :: members()]


def weight(positions: Sequence[int]) -> float:
    """What to multiply this process's mean loss by, so that the mean over processes is that over the batch."""
    return len(share(positions)) * members() / len(positions)


def parallel(module: nn.Module) -> nn.Module:
    """The module, its gradients averaged over the processes."""
    return DistributedDataParallel(module) if members() > 1 else module


def wait() -> None:
    """Go on when every process has come here."""
    if members() > 1:
        distributed.barrier()
