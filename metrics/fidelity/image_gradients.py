"""Difference of the slopes of heatmap and image (Mathieu et al., 2016)."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

from bench.api import Explained, Metric, Scored
from bench.functional.image_similarity import gradient_difference
from bench.scoring.image_pair import pictures


@dataclass(frozen=True)
class ImageGradients(Metric):
    """Root mean square difference of the neighbour differences of heatmap and grey image, both scaled to [0, 1].

    Over both directions, per pixel.
    """

    display: ClassVar[str] = "Slopes of the image"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Does the map rise and fall from pixel to pixel as the image does?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, 2 * math.sqrt(2))
    blind_spot: ClassVar[str] = "Everything about the network; a flat map loses little on a smooth image."
    reference: ClassVar[str] = "Mathieu et al., 2016, arXiv:1511.05440; google-research, optimizing interpretability"

    def score(self, explained: Explained) -> Scored:
        """One difference per image."""
        maps, images = pictures(explained)
        return Scored(gradient_difference(maps[:, None], images[:, None]) / math.sqrt(maps[0].numel()))
