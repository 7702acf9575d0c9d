"""Intersection over union at the truth's area."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import share_in_top
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class Iou(Metric):
    """Intersection over union of the object and the equally many highest pixels.

    The threshold is the truth's area, so that no method gains by one. Ties share the intersection as expected under a
    random order (the score of the expected intersection, not the expected score). A soft truth map is cut at half of
    its peak. A constant map scores a / (2 - a) for an object that covers the share a of the image.
    """

    display: ClassVar[str] = "IoU"
    question: ClassVar[str] = "Does the map cut out the object?"
    blind_spot: ClassVar[str] = "The order within the object; a monotone function of relevance rank accuracy."
    reference: ClassVar[str] = "Zhou et al., 2016, arXiv:1512.04150 (localisation by thresholded maps)"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One ratio per image."""
        hit = object_of(explained.truth)
        area = hit.flatten(1).sum(1)
        shared = (share_in_top(explained.heatmaps, area) * hit).flatten(1).sum(1)
        return Scored(shared / (2 * area - shared))
