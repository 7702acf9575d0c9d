"""Plain training."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe


@dataclass(frozen=True)
class Standard(Recipe):
    """Cross-entropy, nothing else: what every other recipe is compared with."""

    display: ClassVar[str] = "Plain training"

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy of the batch."""
        return F.cross_entropy(network.logits(images), labels)
