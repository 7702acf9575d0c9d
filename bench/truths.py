"""What a truth map says to the metrics that need a yes or no for each pixel."""

from torch import Tensor


def object_of(truth: Tensor) -> Tensor:
    """The pixels, bool, at least half as high as the highest of their truth map (batch, height, width).

    A mask or a box is its own object; a soft map (gaze) is cut at half of its peak, so the oracle stays perfect.
    """
    return truth >= truth.flatten(1).amax(1)[:, None, None] / 2
