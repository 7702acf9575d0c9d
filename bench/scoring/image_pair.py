"""A heatmap and its image as two grey pictures, for metrics that compare them."""

from torch import Tensor

from bench.api import Explained
from bench.api.network import to_pixels
from bench.functional.heatmaps import min_max


def pictures(explained: Explained) -> tuple[Tensor, Tensor]:
    """Heatmaps and images (mean over channels), float64 (batch, height, width), each scaled to [0, 1] by itself.

    A constant map or image becomes 0.
    """
    greys = to_pixels(explained.images.double(), explained.network.preprocess).mean(1)
    return min_max(explained.heatmaps.double()), min_max(greys)
