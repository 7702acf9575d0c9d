"""The steps that adversarial and harmonised training take in the image before the weights are updated.

Every function returns new images and leaves the weights' gradients alone: only the images are
differentiated. The network runs in the mode it is in, so in training mode the batch-norm running
statistics see the perturbed images too, as in the published code. Apart from batch norm no image
depends on the others of its batch. What has no gradient (a saturated image, a dead patch) does not move.

An objective takes images (batch, channel, height, width) and returns one number, summed over them; `epsilon` and
steps are in the units of the images. Except where another source is given: Gong et al., 2024, arXiv:2404.04647.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.functional.patches import patch_norms, patches_to_pixels

Objective = Callable[[Tensor], Tensor]


def gradient_of(objective: Objective, images: Tensor) -> Tensor:
    """The gradient of a summed objective in every image, detached, in the shape of `images`.

    >>> gradient_of(lambda images: images.square().sum(), torch.ones(1, 1, 1, 2)).tolist()
    [[[[2.0, 2.0]]]]
    """
    with torch.enable_grad():
        images = images.detach().requires_grad_()
        (gradients,) = torch.autograd.grad(objective(images), images)
    return gradients


def fast_l1(objective: Objective, images: Tensor, epsilon: float) -> Tensor:
    """Every pixel by `epsilon` along sign(g) (Goodfellow et al., 2015, arXiv:1412.6572).

    >>> fast_l1(lambda images: images.square().sum(), torch.tensor([[[[1.0, -2.0, 0.0]]]]), 0.5).tolist()
    [[[[1.5, -2.5, 0.0]]]]
    """
    return images + epsilon * gradient_of(objective, images).sign()


def iterative_l1(
    objective: Objective,
    images: Tensor,
    epsilon: float,
    step: float,
    steps: int,
    start: Tensor | None = None,
    valid: tuple[float, float] = (-math.inf, math.inf),
) -> Tensor:
    """Steps of `step * sign(g)`, clipped each time to `epsilon` around the images and to the range `valid`.

    It starts at the images unless another `start` is given (Madry et al., 2018, arXiv:1706.06083).

    >>> iterative_l1(lambda images: images.sum(), torch.zeros(1, 1, 1, 2), 0.5, step=0.375, steps=2).tolist()
    [[[[0.5, 0.5]]]]
    """
    moved = images if start is None else start
    for _ in range(steps):
        moved = moved + step * gradient_of(objective, moved).sign()
        moved = (images + (moved - images).clamp(-epsilon, epsilon)).clamp(*valid)
    return moved


def fast_elastic(objective: Objective, images: Tensor, epsilon: float, epsilon2: float) -> Tensor:
    """The change epsilon * sign(g) + 2 * epsilon2 * g, with the raw gradient g of the summed objective.

    >>> fast_elastic(lambda images: images.square().sum(), torch.ones(1, 1, 1, 1), 0.5, 0.25).tolist()
    [[[[2.5]]]]
    """
    gradients = gradient_of(objective, images)
    return images + epsilon * gradients.sign() + 2 * epsilon2 * gradients


def iterative_elastic(
    objective: Objective, images: Tensor, epsilon: float, epsilon2: float, step: float, steps: int
) -> Tensor:
    """Steps of length `step` up `objective(x') - ||relu(|x' - x| - epsilon)||^2 / (4 * epsilon2)`, unprojected.

    The published norm runs over the whole batch, but it is squared: a sum over images, each of which
    follows its own unit gradient, so that no image depends on another.

    >>> iterative_elastic(lambda images: images.sum(), torch.zeros(1, 1, 1, 1), 0.5, 1.0, step=0.25, steps=2).tolist()
    [[[[0.5]]]]
    """

    def penalised(moved: Tensor) -> Tensor:
        excess = F.relu((moved - images).abs() - epsilon)
        return objective(moved) - excess.square().sum() / (4 * epsilon2)

    moved = images
    for _ in range(steps):
        moved = moved + step * unit(gradient_of(penalised, moved))
    return moved


def fast_group(objective: Objective, images: Tensor, epsilon: float, patches: int) -> Tensor:
    """The change epsilon * g / ||g||, the norm per patch of each channel; a patch without gradient stays as it is.

    >>> fast_group(lambda images: images.square().sum(), torch.tensor([[[[3.0, 0.0]]]]), 0.5, patches=2).tolist()
    [[[[3.5, 0.0]]]]
    """
    gradients = unit(gradient_of(objective, images))
    norms = patches_to_pixels(patch_norms(gradients, patches), gradients, patches)
    return images + epsilon * torch.where(norms > 0, gradients / torch.where(norms > 0, norms, 1), 0)


def iterative_group(objective: Objective, images: Tensor, epsilon: float, steps: int, patches: int) -> Tensor:
    """Steps of length 1 along g per image; each patch longer than `epsilon` is brought back to it.

    >>> iterative_group(lambda images: images.sum(), torch.zeros(1, 1, 1, 1), 0.5, steps=2, patches=1).tolist()
    [[[[0.5]]]]
    """
    change = torch.zeros_like(images)
    for _ in range(steps):
        change = change + unit(gradient_of(objective, images + change))
        norms = patches_to_pixels(patch_norms(change, patches), change, patches)
        change = torch.where(norms > epsilon, change * (epsilon / norms.clamp_min(epsilon)), change)
    return images + change


def away_from_gaze(objective: Objective, images: Tensor, truth: Tensor, epsilon: float) -> Tensor:
    """The change 2 * epsilon * g / ||g|| * (0.5 - truth): up the loss where nobody looks, down where people look.

    `truth` (batch, height, width) in [0, 1]; the norm per image.

    >>> truth = torch.tensor([[[1.0, 0.0]]])
    >>> objective = lambda images: 3 * images[..., 0].sum() + 4 * images[..., 1].sum()
    >>> away_from_gaze(objective, torch.zeros(1, 1, 1, 2), truth, epsilon=0.5).tolist()
    [[[[-0.30000001192092896, 0.4000000059604645]]]]
    """
    return images + 2 * epsilon * unit(gradient_of(objective, images)) * (0.5 - truth[:, None])


def unit(gradients: Tensor) -> Tensor:
    """Gradients (batch, ...) scaled to an L2 norm of 1 per image; zero stays zero.

    >>> unit(torch.tensor([[3e-30, 4e-30], [0.0, 0.0]])).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    flat = gradients.flatten(1)
    # Divided by the largest entry first: squares of the gradients of a confident network underflow.
    largest = flat.abs().amax(1, keepdim=True)
    flat = flat / torch.where(largest > 0, largest, 1)
    norms = flat.norm(dim=1, keepdim=True)
    return (flat / torch.where(norms > 0, norms, 1)).reshape(gradients.shape)
