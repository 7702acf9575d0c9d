"""Training towards softened labels."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe


@dataclass(frozen=True)
class LabelSmoothing(Recipe):
    """Cross-entropy with a part of each label spread evenly over all classes."""

    reference: ClassVar[str] = "Szegedy et al., 2016, arXiv:1512.00567"
    smoothing: float = 0.1

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy with smoothed labels."""
        return F.cross_entropy(network.logits(images), labels, label_smoothing=self.smoothing)
