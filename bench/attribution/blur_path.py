"""The path of Blur IG: from a blurred image to the sharp one, and how the image changes along it."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor


@dataclass(frozen=True)
class BlurPath:
    """Gaussian blurs from sigma 0 to `max_sigma` pixels, as published (Xu et al., 2020).

    The kernel is cut off at int(4 sigma + 0.5) pixels, and beyond the borders everything is zero. `spacing` says
    whether `sigma` or its square (the heat that has flowed) grows by equal steps. The derivative with respect to
    sigma is a forward difference over `difference`, so step 0, whose two kernels are one pixel wide, is zero.
    """

    max_sigma: float = 50.0
    steps: int = 100
    difference: float = 0.01
    spacing: Literal["sigma", "sigma_squared"] = "sigma"

    def sigmas(self) -> Tensor:
        """The ends of all steps, (steps + 1,), float64."""
        shares = torch.arange(self.steps + 1, dtype=torch.float64) / self.steps
        return shares * self.max_sigma if self.spacing == "sigma" else (shares * self.max_sigma).sqrt()

    def blurred(self, images: Tensor, sigmas: Tensor) -> Tensor:
        """Each image blurred by its own sigma."""
        down, across = (_blur_matrices(sigmas, size) for size in images.shape[2:])
        return _both(down.to(images), images, across.to(images))

    def blurred_and_derivative(self, images: Tensor, sigmas: Tensor) -> tuple[Tensor, Tensor]:
        """Each image blurred by its own sigma, and the derivative of that with respect to sigma.

        The difference is taken between the kernels, in float64, not between blurred images.
        """
        height, width = images.shape[2:]
        down, across = _blur_matrices(sigmas, height), _blur_matrices(sigmas, width)
        more_down = _blur_matrices(sigmas + self.difference, height)
        more_across = _blur_matrices(sigmas + self.difference, width)
        change_down = ((more_down - down) / self.difference).to(images)
        change_across = ((more_across - across) / self.difference).to(images)
        half = down.to(images)[:, None] @ images
        derivative = half @ change_across.mT[:, None] + _both(change_down, images, more_across.to(images))
        return half @ across.to(images).mT[:, None], derivative


def _both(down: Tensor, images: Tensor, across: Tensor) -> Tensor:
    return down[:, None] @ images @ across.mT[:, None]


def _blur_matrices(sigmas: Tensor, size: int) -> Tensor:
    """For each sigma the matrix (size, size) that blurs a line of pixels, float64."""
    reach = max(size - 1, math.floor(4 * float(sigmas.max()) + 0.5))
    offsets = torch.arange(-reach, reach + 1, dtype=torch.float64, device=sigmas.device)
    kernels = torch.exp(-0.5 * (offsets / sigmas.clamp_min(torch.finfo(torch.float64).tiny)[:, None]) ** 2)
    kernels *= offsets.abs() <= torch.floor(4 * sigmas + 0.5)[:, None]
    kernels /= kernels.sum(1, keepdim=True)
    places = torch.arange(size, device=sigmas.device)
    return kernels[:, places[:, None] - places + reach]
