"""Forward passes in chunks."""

import torch
from torch import Tensor

from bench.ceremony import untouched
from bench.handed import Network


def logits_in_chunks(network: Network, images: Tensor) -> Tensor:
    """Logits (batch, outputs) of images (batch, channel, height, width), the network in evaluation mode."""
    with untouched(network.module), torch.inference_mode():
        return torch.cat([network.logits(part) for part in images.split(network.chunk)]).clone()
