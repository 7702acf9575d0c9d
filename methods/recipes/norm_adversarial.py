"""Adversarial training whose perturbation norm shapes the gradient."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import HeatmarkError, Network, Recipe
from bench.functional.adversarial_steps import (
    fast_elastic,
    fast_group,
    fast_l1,
    iterative_elastic,
    iterative_group,
    iterative_l1,
)
from bench.training.attacks import cross_entropy_of


@dataclass(frozen=True)
class NormAdversarial(Recipe):
    """Cross-entropy on images moved against the network within a norm whose dual its gradient should be small in.

    By duality l1 trains towards sparse gradients, elastic towards sparse and small ones, group towards
    block-sparse ones. Images (batch, channel, height, width) are moved in the network's normalised
    space, neither clipped to valid pixels nor kept with the clean ones, as published.

    `mode` and `solver`: what moves the images (`bench.functional.adversarial_steps`); `standard` moves nothing and has
    no iterative solver. `epsilon`: the size of a pixel's move (l1, elastic) or of a patch's (group). `epsilon2`: the
    weight of the elastic's L2 part. `step`, `steps`: the iterative solver; l1 steps by step * epsilon, elastic by step,
    group by 1 whatever `step` says. `patches`: how many along each side of a channel (`bench.functional.patches`); 16
    gives the published 14 x 14 pixels at 224.

    Source: Gong, Dou and Farnia, CVPR 2024, and its code. Kept: l1 and elastic differentiate the summed
    loss, so the elastic's raw gradient does not shrink with the batch; the iterative elastic is not projected;
    perturbations are computed in training mode, so batch-norm statistics also see them while they grow.
    Left out: 0/0 for a patch without gradient (it stays as it is) and the 224 fixed in the code.
    """

    display: ClassVar[str] = "Norm-adversarial"
    reference: ClassVar[str] = "Gong et al., 2024, arXiv:2404.04647"
    mode: Literal["standard", "l1", "elastic", "group"] = "l1"
    solver: Literal["fast", "iterative"] = "fast"
    epsilon: float = 0.01
    epsilon2: float = 0.05
    step: float = 0.3
    steps: int = 7
    patches: int = 16

    def __post_init__(self) -> None:
        if self.mode == "standard" and self.solver == "iterative":
            raise ValueError("mode 'standard' moves nothing; expected solver 'fast'")

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean cross-entropy of the moved images."""
        return F.cross_entropy(network.logits(self.moved(network, images, labels)), labels)

    def moved(self, network: Network, images: Tensor, labels: Tensor) -> Tensor:
        """The images (batch, channel, height, width) that the weights are trained on."""
        objective = cross_entropy_of(network, labels)
        match self.mode, self.solver:
            case "standard", _:
                return images
            case "l1", "fast":
                return fast_l1(objective, images, self.epsilon)
            case "l1", "iterative":
                return iterative_l1(objective, images, self.epsilon, self.step * self.epsilon, self.steps)
            case "elastic", "fast":
                return fast_elastic(objective, images, self.epsilon, self.epsilon2)
            case "elastic", "iterative":
                return iterative_elastic(objective, images, self.epsilon, self.epsilon2, self.step, self.steps)
            case "group", "fast":
                return fast_group(objective, images, self.epsilon, self.patches)
            case "group", "iterative":
                return iterative_group(objective, images, self.epsilon, self.steps, self.patches)
        raise HeatmarkError(f"recipe 'norm_adversarial': no mode {self.mode!r} with solver {self.solver!r}")
