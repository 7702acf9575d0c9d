"""Peak signal-to-noise ratio of heatmap against image."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.scoring.image_pair import pictures


@dataclass(frozen=True)
class ImagePsnr(Metric):
    """Peak signal-to-noise ratio of the heatmap against the grey image in decibels, both scaled to [0, 1].

    At most 100, which is what a map that is the image scores.
    """

    display: ClassVar[str] = "PSNR with the image"
    unit: ClassVar[str] = "dB"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Is the map as bright as the image, pixel by pixel?"
    range: ClassVar[tuple[float, float]] = (0.0, 100.0)
    blind_spot: ClassVar[str] = "Everything about the network, and structure: a negative of the image scores worst."
    reference: ClassVar[str] = "google-research, optimizing interpretability"

    def score(self, explained: Explained) -> Scored:
        """One ratio per image."""
        maps, images = pictures(explained)
        error = (maps - images).square().flatten(1).mean(1)
        return Scored(-10 * error.clamp_min(1e-10).log10())
