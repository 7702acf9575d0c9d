"""Top-K intersection (Theiner et al., 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import share_in_top
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class TopKIntersection(Metric):
    """Share of the `k` highest pixels that lies on the object.

    `k` is at most a quarter of the image; pixels tied at the edge share what is left. A soft truth map is cut at half
    of its peak. Chance is the object's share of the image.
    """

    k: int = 1000
    display: ClassVar[str] = "Top-K intersection"
    unit: ClassVar[str] = "share of the pixels"
    question: ClassVar[str] = "Do the most important pixels lie on the object?"
    blind_spot: ClassVar[str] = "The other pixels; an object smaller than k pixels cannot score 1."
    reference: ClassVar[str] = "Theiner et al., 2021, arXiv:2104.14995"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        maps = explained.heatmaps
        k = max(1, min(self.k, maps[0].numel() // 4))
        highest = share_in_top(maps, torch.full((len(maps),), k, device=maps.device))
        return Scored((highest * object_of(explained.truth)).flatten(1).sum(1) / k)
