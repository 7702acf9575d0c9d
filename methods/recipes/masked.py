"""Training on images without one of their cells."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe


@dataclass(frozen=True)
class Masked(Recipe):
    """Cross-entropy of images of which some lack one cell, so that images with a hole are nothing new.

    Each image loses one of `rows` x `rows` cells, drawn at random, with probability `share`: it is put to zero in
    normalised space. What the metric `single_deletion` shows the network is then inside what it has learnt from.
    """

    reference: ClassVar[str] = "Hesse et al., 2024, arXiv:2407.11910"
    rows: int = 4
    share: float = 0.5

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy with and without holes."""
        height, width = images.shape[2:]
        masked = (torch.rand(len(images), generator=rng) < self.share).to(images.device)
        cell = torch.randint(self.rows**2, (len(images),), generator=rng).to(images.device)
        down, across = (torch.arange(size, device=images.device) * self.rows // size for size in (height, width))
        cells = down[:, None] * self.rows + across
        hole = (cells == cell[:, None, None]) & masked[:, None, None]
        return F.cross_entropy(network.logits(images.masked_fill(hole[:, None], 0)), labels)
