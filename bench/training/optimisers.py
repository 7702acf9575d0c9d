"""What steps the weights: optimiser and learning rate."""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from bench.training.hyperparameters import Training


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
