"""Room for images, in the memory layout of others."""

import torch
from torch import Tensor


def room_for(count: int, like: Tensor) -> Tensor:
    """Unwritten images (count, channel, height, width) of the kind and memory layout of `like`."""
    last = like.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if last else torch.contiguous_format
    return torch.empty((count, *like.shape[1:]), dtype=like.dtype, device=like.device, memory_format=layout)
