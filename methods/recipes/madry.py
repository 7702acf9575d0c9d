"""Adversarial training against projected gradient descent."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe
from bench.training.attacks import cross_entropy_of, pixel_ascent


@dataclass(frozen=True)
class Madry(Recipe):
    """Cross-entropy on images attacked within an L-inf ball of pixels (PGD adversarial training).

    `epsilon` and `step` in pixels of [0, 1] whatever the network's normalisation; a random start in the ball, then
    `steps` sign steps, all pixels kept valid. The attack runs in training mode, as in the authors' code,
    whose CIFAR-10 settings are the defaults.
    """

    display: ClassVar[str] = "PGD (Madry)"
    reference: ClassVar[str] = "Madry et al., 2018, arXiv:1706.06083"
    epsilon: float = 8 / 255
    step: float = 2 / 255
    steps: int = 7

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy of the attacked images."""
        start = self.epsilon * (2 * torch.rand(images.shape, generator=rng).to(images) - 1)
        objective = cross_entropy_of(network, labels)
        attacked = pixel_ascent(network, objective, images, start, self.epsilon, self.step, self.steps)
        return F.cross_entropy(network.logits(attacked), labels)
