"""Structural similarity of heatmap and image (Wang et al., 2004)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.structural_similarity import ssim
from bench.scoring.image_pair import pictures


@dataclass(frozen=True)
class ImageSsim(Metric):
    """Structural similarity of the heatmap to the grey image, both scaled to [0, 1].

    Gaussian window 11, sigma 1.5, the mean over whole windows. What gradient regularisers optimise, on one channel.
    """

    display: ClassVar[str] = "SSIM with the image"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Does the map look like the image?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Everything about the network: a map wins by being a filter of the image."
    reference: ClassVar[str] = "Wang et al., 2004; google-research, optimizing interpretability"

    def score(self, explained: Explained) -> Scored:
        """One similarity per image."""
        return Scored(ssim(*pictures(explained)))
