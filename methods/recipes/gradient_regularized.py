"""Training with a penalty on the input gradient."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Network, Recipe
from bench.functional.gradient_penalties import Regulariser, datagrad, map_penalty, spectreg, target_gradient
from bench.training.batch_norm import constant_statistics


@dataclass(frozen=True)
class GradientRegularized(Recipe):
    """Cross-entropy plus a penalty on the input gradient, trained by double backpropagation.

    Loss = CE with `smoothing` + `scale` * R. R (`bench.functional.gradient_penalties`) measures h, the gradient of the
    true-class logit in the normalised image (batch, channel, height, width), alone or against the image.
    datagrad penalises the gradient of CE with plain labels instead, spectreg that of a random projection
    of the logits, drawn each step.

    `batch_norm`: whether R's gradients flow through the batch statistics or take them as constants (a second
    forward pass). The authors meant constants, but their pattern matches no operation: `through` is what
    they published. Weight decay 1e-4 is the optimiser's; fine-tuning is the same recipe with another
    start and schedule.

    Kept: tv_abs divides one map by the deviation of each image channel; n(.), the min-max scaling, has no
    epsilon; ssim_unfiltered multiplies C2 by 63/64. Left out: a constant map or image channel divides by 0
    in the published code; here its quotient is 0 and passes no gradient. PSNR and SSIM are computed
    in the dtype of the images, not in float32. psnr_hvs is named but not shipped by the published code.
    """

    display: ClassVar[str] = "Gradient-regularised"
    reference: ClassVar[str] = "google-research, optimizing_interpretability"
    regulariser: Regulariser = "datagrad"
    scale: float = 0.5
    smoothing: float = 0.1
    batch_norm: Literal["through", "constant"] = "through"

    def loss(
        self, network: Network, images: Tensor, labels: Tensor, truth: Tensor | None, rng: torch.Generator
    ) -> Tensor:
        """Mean smoothed cross-entropy plus scale times the penalty."""
        images = images.detach().requires_grad_()
        logits = network.logits(images)
        error = F.cross_entropy(logits, labels, label_smoothing=self.smoothing)
        if self.batch_norm == "constant":
            with constant_statistics(network.module):
                logits = network.logits(images)
        return error + self.scale * self._penalty(logits, labels, images, rng).mean()

    def penalty(self, network: Network, images: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
        """R of each image, (batch,)."""
        images = images.detach().requires_grad_()
        return self._penalty(network.logits(images), labels, images, rng)

    def _penalty(self, logits: Tensor, labels: Tensor, images: Tensor, rng: torch.Generator) -> Tensor:
        if self.regulariser == "datagrad":
            return datagrad(logits, labels, images)
        if self.regulariser == "spectreg":
            return spectreg(logits, torch.randn(logits.shape, generator=rng).to(logits), images)
        gradients = target_gradient(logits, labels, images)
        with torch.autocast(images.device.type, enabled=False):
            return map_penalty(self.regulariser, gradients, images.detach())
