"""Training on images moved away from and towards where people look."""

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import HeatmarkError, Network, Recipe
from bench.functional.adversarial_steps import away_from_gaze
from bench.training.attacks import cross_entropy_of


@dataclass(frozen=True)
class GazeHarmonized(Recipe):
    """Cross-entropy on images made harder where nobody looks and easier where people look.

    x' = x + 2 * epsilon * g / ||g|| * (0.5 - truth): g the loss gradient, of unit L2 norm per image; truth
    (batch, height, width) in [0, 1] broadcast over channels. On a data set without gaze the truth map is its mask.

    Source: the CUB-GHA experiment of Gong, Dou and Farnia, CVPR 2024. Kept: the gradient is taken in training
    mode, so batch-norm statistics also see the clean images; nothing is clipped to valid pixels. Left out: an image
    without gradient stays as it is instead of becoming NaN.
    """

    display: ClassVar[str] = "Gaze-harmonised"
    reference: ClassVar[str] = "Gong et al., 2024, arXiv:2404.04647"
    needs_truth: ClassVar[bool] = True
    epsilon: float = 0.5

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy of the moved images."""
        if truth is None:
            raise HeatmarkError("recipe 'gaze_harmonized' needs a truth map, and this data set has none")
        moved = away_from_gaze(cross_entropy_of(network, labels), images, truth, self.epsilon)
        return F.cross_entropy(network.logits(moved), labels)
