"""Difference of the edges of heatmap and image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.image_similarity import sobel_difference
from bench.scoring.image_pair import pictures


@dataclass(frozen=True)
class ImageSobel(Metric):
    """Mean squared difference of the Sobel responses of heatmap and grey image, both scaled to [0, 1].

    Per pixel, summed over both directions; borders reflected, kernels unscaled. Two pixels a side at least.
    """

    display: ClassVar[str] = "Edges of the image"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Are the map's edges those of the image?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Everything about the network; a flat map loses little on a smooth image."
    reference: ClassVar[str] = "google-research, optimizing interpretability"

    def score(self, explained: Explained) -> Scored:
        """One difference per image."""
        maps, images = pictures(explained)
        return Scored(sobel_difference(maps[:, None], images[:, None]) / maps[0].numel())
