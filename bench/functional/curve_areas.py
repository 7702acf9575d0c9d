"""Areas under perturbation curves, by the rules of the published protocols."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Area = Literal["equal_steps", "shares", "points", "unit_steps", "mean", "mean_drop", "rising"]


def area_of(curves: Tensor, rule: Area, counts: Sequence[int]) -> Tensor:
    """Scores (batch,) of curves (batch, points) by a rule.

    `counts[k]` pixels have been replaced at point k; only `shares` asks for them.

    By trapezoids of width 1 / steps (`equal_steps`), of the share of pixels between the points (`shares`), of
    1 / points (`points`) or of 1 (`unit_steps`); or as the mean of the points (`mean`), or of what all points but the
    first lie below it (`mean_drop`; Samek et al., 2017, arXiv:1509.06321); or as the share of steps at which the curve
    does not fall (`rising`; Arya et al., 2019, arXiv:1909.03012), NaN where a point is no number.

    >>> curve = torch.tensor([[1.0, 0.5, 0.0]])
    >>> [area_of(curve, rule, [0, 1, 4]).item() for rule in ("equal_steps", "shares", "unit_steps", "mean")]
    [0.5, 0.375, 1.0, 0.5]
    """
    match rule:
        case "equal_steps":
            return torch.trapezoid(curves, dx=1 / (curves.shape[1] - 1), dim=1)
        case "shares":
            replaced = torch.tensor(counts, dtype=curves.dtype, device=curves.device)
            return torch.trapezoid(curves, replaced / replaced[-1], dim=1)
        case "points":
            return torch.trapezoid(curves, dx=1 / curves.shape[1], dim=1)
        case "unit_steps":
            return torch.trapezoid(curves, dx=1, dim=1)
        case "mean":
            return curves.mean(1)
        case "mean_drop":
            return (curves[:, :1] - curves[:, 1:]).mean(1)
        case "rising":
            steps = curves.diff(dim=1)
            return (steps >= 0).to(curves.dtype).where(steps.isfinite(), torch.nan).mean(1)
