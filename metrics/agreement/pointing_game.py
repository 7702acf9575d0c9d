"""Pointing game (Zhang et al., 2016)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from scipy.ndimage import distance_transform_edt

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import share_in_top
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class PointingGame(Metric):
    """Does the highest pixel lie on the object.

    1 or 0; where several pixels are highest, the share of them that hits. `tolerance` pixels beside the object
    still count (the paper: 15 at its image sizes). A soft truth map is cut at half of its peak.
    Chance is the object's share of the image, which is also what a constant map scores.
    """

    tolerance: int = 0
    unit: ClassVar[str] = "share of hits"
    question: ClassVar[str] = "Is the pixel that the map calls most important part of the object?"
    blind_spot: ClassVar[str] = "Everything but one pixel; on a large object in the centre, the centre control wins."
    reference: ClassVar[str] = "Zhang et al., 2016, arXiv:1608.00507"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """The share of the highest pixels that lie on the object."""
        hit = object_of(explained.truth)
        if self.tolerance > 0:
            far = [distance_transform_edt(~mask) for mask in hit.cpu().numpy()]
            hit = torch.stack([torch.from_numpy(distance <= self.tolerance) for distance in far]).to(hit.device)
        highest = share_in_top(explained.heatmaps, torch.ones(len(hit), device=hit.device))
        return Scored((highest * hit).flatten(1).sum(1))
