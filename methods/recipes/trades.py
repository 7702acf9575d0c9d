"""The trade-off between accuracy and robustness, made explicit in the loss."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe
from bench.api.module_state import frozen_for_evaluation
from bench.training.attacks import pixel_ascent


@dataclass(frozen=True)
class Trades(Recipe):
    """Cross-entropy of clean images plus how far the prediction moves under attack (TRADES).

    CE(z(x), y) + beta * KL(p(x) || p(x')), averaged over images; x' maximises the same divergence within an
    L-inf ball of pixels from a start 0.001 * normal noise away. `epsilon` and `step` in pixels of [0, 1].
    The attack runs in evaluation mode and sees p(x) as a constant, the loss lets gradients through both, as in
    the authors' code, whose CIFAR-10 settings are the defaults.
    """

    display: ClassVar[str] = "TRADES"
    reference: ClassVar[str] = "Zhang et al., 2019, arXiv:1901.08573"
    epsilon: float = 0.031
    step: float = 0.007
    steps: int = 10
    beta: float = 6.0

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy plus beta times the mean divergence."""
        start = 0.001 * torch.randn(images.shape, generator=rng).to(images)
        with frozen_for_evaluation(network.module):
            clean = network.logits(images).detach()
            attacked = pixel_ascent(
                network,
                lambda moved: _divergence(clean, network.logits(moved)),
                images,
                start,
                self.epsilon,
                self.step,
                self.steps,
            )
        logits = network.logits(images)
        divergence = _divergence(logits, network.logits(attacked)) / len(images)
        return F.cross_entropy(logits, labels) + self.beta * divergence


def _divergence(clean: Tensor, moved: Tensor) -> Tensor:
    return F.kl_div(moved.log_softmax(1), clean.log_softmax(1), reduction="sum", log_target=True)
