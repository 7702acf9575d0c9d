"""Gradients of what a network says about each image's target, the one way every gradient method takes them."""

from typing import Literal

import torch
from torch import Tensor

from bench.api import Network
from bench.attribution.guided_rules import NonlinearityRule, nonlinearity
from bench.engine.bf16_backward import with_bf16_backward
from bench.functional.outputs import Output

Backward = Literal["fp32", "bf16"]


def by_backward(network: Network, images: Tensor, backward: Backward) -> Network:
    """The network for gradients of such images, its way back in this precision where the maps are the same in ranks."""
    return with_bf16_backward(network, images) if backward == "bf16" else network


def target_gradients(
    network: Network, images: Tensor, targets: Tensor, rule: NonlinearityRule = "plain", output: Output = "logit"
) -> Tensor:
    """Gradient of each image's target output with respect to the image, in the shape of `images`."""
    return values_and_gradients(network, images, targets, rule, output)[1]


def values_and_gradients(
    network: Network, images: Tensor, targets: Tensor, rule: NonlinearityRule = "plain", output: Output = "logit"
) -> tuple[Tensor, Tensor]:
    """Each image's target output (batch,) and its gradient with respect to the image."""
    images = images.detach().requires_grad_()
    values = target_values(network, images, targets, output)
    with nonlinearity(rule, network.name, values):
        (gradients,) = torch.autograd.grad(values.sum(), images)
    return values.detach(), gradients


def target_values(network: Network, images: Tensor, targets: Tensor, output: Output = "logit") -> Tensor:
    """The logit or the softmax probability of each image's target, (batch,)."""
    return network.logits_of(images, targets) if output == "logit" else network.probabilities_of(images, targets)
