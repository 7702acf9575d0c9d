"""The image seen through its own heatmap: multiplied by it, as the metrics of class activation maps do."""

from torch import Tensor

from bench.api import Explained
from bench.functional.heatmaps import min_max
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked


def seen_through_map(explained: Explained) -> Tensor:
    """The normalised images times their heatmaps, which are scaled to [0, 1] each by itself."""
    return explained.images * min_max(explained.heatmaps)[:, None].to(explained.images)


def confidences(explained: Explained) -> tuple[Tensor, Tensor]:
    """The target's probability (batch,), float64, for the image and for the image times its heatmap."""
    seen = outputs_while_masked(explained, [seen_through_map(explained)], "probability")[:, 0]
    return clean_outputs(explained, "probability"), seen


def share_lost(clean: Tensor, seen: Tensor) -> Tensor:
    """What share of a clean probability is lost, 0 where nothing is, for probabilities of any one shape."""
    return ((clean - seen).clamp_min(0) / clean.clamp_min(1e-300)).where(clean != 0, 0 * seen)
