"""Training on noisy copies of the images."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe
from bench.functional.noise import normal_noise, uniform_noise


@dataclass(frozen=True)
class InputNoise(Recipe):
    """Cross-entropy of the images and of noisy copies of them.

    Each batch (batch, channel, height, width) grows to (1 + copies) * batch, the clean images first. `normal`: standard
    deviation `multiple` times the range of that image; `uniform`: within plus and minus that image's 10th
    percentile (nearest rank, its sign without effect), `multiple` unused. Nothing is clipped, as published.
    """

    reference: ClassVar[str] = "google-research, optimizing_interpretability"
    kind: Literal["normal", "uniform"] = "normal"
    multiple: float = 0.15
    copies: int = 1

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy over clean and noisy images."""
        copies = images.repeat(self.copies, 1, 1, 1)
        if self.kind == "normal":
            noise = normal_noise(copies, torch.randn(copies.shape, generator=rng).to(copies), self.multiple)
        else:
            noise = uniform_noise(copies, torch.rand(copies.shape, generator=rng).to(copies))
        logits = network.logits(torch.cat([images, copies + noise]))
        return F.cross_entropy(logits, labels.repeat(1 + self.copies))
