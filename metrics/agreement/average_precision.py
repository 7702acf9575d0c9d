"""Average precision of the heatmap as a detector of the object."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.ranking import expected_precision
from bench.functional.truth_maps import object_of


@dataclass(frozen=True)
class AveragePrecision(Metric):
    """Mean precision at the pixels of the object, from the highest down.

    Expected over a random order of ties (McSherry & Najork, 2008; scikit-learn takes ties as one step instead).
    A soft truth map is cut at half of its peak. Chance is about the object's share of the image, and exactly what a
    constant map scores.
    """

    question: ClassVar[str] = "Going down from the highest pixel, how pure is what has been seen of the object?"
    blind_spot: ClassVar[str] = "Grows with the object's area: compare maps on the same images only."
    reference: ClassVar[str] = "McSherry & Najork, 2008 (ties); Cong et al., 2018, arXiv:1803.03391 (saliency maps)"
    needs_truth: ClassVar[bool] = True

    def score(self, explained: Explained) -> Scored:
        """One average per image."""
        return Scored(expected_precision(explained.heatmaps, object_of(explained.truth)))
