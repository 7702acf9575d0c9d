"""The settings of training, and what steps the weights: optimiser and learning rate."""

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from bench.api.plugin import check_counts
from bench.training.augmentation import Augmentation


@dataclass(frozen=True)
class Training:
    """How long and how fast: everything of training that is not the recipe.

    `start`: a file of weights to go on from (fine-tuning); from scratch without one. `warm_up`: the share of all
    steps in which the rate rises linearly; `milestones`: the shares at which the schedule `steps` divides it
    by ten. `keep`: the weights of the last epoch, or of the one with the highest accuracy on `validation_images`
    of the data set's `val` split. `precision`: of the recipe's forward passes (autocast). `batch` is the whole
    one, which the processes of a data-parallel training share.
    """

    epochs: int = 20
    batch: int = 64
    start: str | None = None
    optimiser: Literal["adam", "adamw", "sgd"] = "adamw"
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.999)
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["constant", "cosine", "steps"] = "cosine"
    warm_up: float = 0.1
    milestones: tuple[float, ...] = (1 / 3, 2 / 3, 8 / 9)
    precision: Literal["float32", "bfloat16"] = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    images: int | None = None
    validation_images: int = 500
    keep: Literal["last", "best"] = "last"
    workers: int = 0

    def __post_init__(self) -> None:
        check_counts(self)


def optimiser_of(training: Training, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of the network's weights; SGD with Nesterov's momentum."""
    weights, rate, decay = list(module.parameters()), training.learning_rate, training.weight_decay
    match training.optimiser:
        case "adam":
            return torch.optim.Adam(weights, rate, training.betas, weight_decay=decay)
        case "adamw":
            return torch.optim.AdamW(weights, rate, training.betas, weight_decay=decay)
        case "sgd":
            momentum = training.momentum
            return torch.optim.SGD(weights, rate, momentum, weight_decay=decay, nesterov=momentum > 0)


def schedule_of(training: Training, optimiser: torch.optim.Optimizer, steps: int) -> LambdaLR:
    """The learning rate over this many steps."""
    return LambdaLR(optimiser, lambda step: rate(training, step / steps))


def rate(training: Training, done: float) -> float:
    """The learning rate at this share of all steps, as a share of the highest."""
    if done < training.warm_up:
        return max(done, 1e-3) / training.warm_up
    match training.schedule:
        case "constant":
            return 1.0
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * (done - training.warm_up) / (1 - training.warm_up)))
        case "steps":
            return 0.1 ** sum(done >= milestone for milestone in training.milestones)
