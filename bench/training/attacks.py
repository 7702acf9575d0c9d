"""Attacks on accuracy, in pixel space: what adversarial training learns to withstand and the board reports."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import ImageRandom, Network
from bench.api.module_state import frozen_for_evaluation
from bench.api.network import from_pixels, to_pixels
from bench.functional.adversarial_steps import Objective, iterative_l1
from bench.functional.outputs import log_probabilities_from


def pixel_ascent(
    network: Network, objective: Objective, images: Tensor, start: Tensor, epsilon: float, step: float, steps: int
) -> Tensor:
    """Normalised images within L-inf distance `epsilon` in pixel space, all pixels in [0, 1], that raise `objective`.

    `images` (batch, channel, height, width) normalised; `start` the first offset in pixels, same shape;
    projected sign ascent in the mode the network is in (Madry et al., 2018, arXiv:1706.06083).
    """
    pixels = to_pixels(images, network.preprocess).clamp(0, 1)
    moved = iterative_l1(
        lambda pixels: objective(from_pixels(pixels, network.preprocess)),
        pixels,
        epsilon,
        step,
        steps,
        start=(pixels + start.clamp(-epsilon, epsilon)).clamp(0, 1),
        valid=(0, 1),
    )
    return from_pixels(moved, network.preprocess)


def pgd(
    network: Network,
    images: Tensor,
    labels: Tensor,
    epsilon: float,
    step: float,
    steps: int,
    rng: ImageRandom,
) -> Tensor:
    """Adversarial images for evaluation: from a random start up the cross-entropy, the network in evaluation mode.

    `epsilon` and `step` in pixels of [0, 1]; `labels` (batch,) outputs of the network. The network is left
    as it was, and an image's attack does not depend on its batch.
    """
    start = epsilon * (2 * rng.uniform(images.shape[1:], images) - 1)
    parts = zip(*(given.split(network.chunk) for given in (images, labels, start)), strict=True)
    with frozen_for_evaluation(network.module):
        moved = [
            pixel_ascent(network, cross_entropy_of(network, outputs), own, at, epsilon, step, steps)
            for own, outputs, at in parts
        ]
    return torch.cat(moved)


def cross_entropy_of(network: Network, labels: Tensor) -> Objective:
    """The cross-entropy of images (batch, channel, height, width), summed over the batch; a label's where these are."""
    return lambda images: F.nll_loss(
        log_probabilities_from(network.logits(images), network.output), labels, reduction="sum"
    )
