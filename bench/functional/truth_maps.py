"""Truth maps: gaze drawn from fixations, fixations as pixels, and the object in a map."""

import numpy as np
import torch
from torch import Tensor

from bench.functional.heatmaps import min_max


def counts_at(fixations: Tensor, like: Tensor) -> Tensor:
    """How often each pixel was fixated, int64, for fixations (count, 4), on a map like `like` (height, width).

    A fixation (x, y, duration, viewing) is in pixels from the top left corner and belongs to the pixel that it lies
    in; those outside are left out.

    >>> fixations = torch.tensor([[0.5, 0.5, 100.0, 0.0], [1.9, 0.1, 100.0, 0.0], [7.0, 0.0, 100.0, 0.0]])
    >>> counts_at(fixations, torch.zeros(2, 2)).tolist()
    [[1, 1], [0, 0]]
    """
    height, width = like.shape
    columns, rows = fixations[:, :2].to(like.device).floor().long().unbind(1)
    inside = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    pixels = rows[inside] * width + columns[inside]
    return torch.bincount(pixels, minlength=height * width).reshape(height, width)


SCREEN_HEIGHT, SCREEN_WIDTH = 1080, 1920
SPREAD = 75.0
REACH = 250.0


def gaze_map(fixations: Tensor, height: int, width: int) -> Tensor:
    """Fixations (count, 4) as a map (height, width) in [0, 1], zero where there is none.

    Each adds its duration times a Gaussian of 75 screen pixels, cut off at 250, drawn on the image as it was shown:
    fitted to the screen. Rong et al., 2021, arXiv:2106.13620.

    >>> gaze_map(torch.tensor([[0.5, 0.5, 200.0, 0.0]]), 1, 12).gt(0.5).tolist()
    [[True, False, False, False, False, False, False, False, False, False, False, False]]
    """
    scale = min(SCREEN_WIDTH / width, SCREEN_HEIGHT / height)
    points = fixations.double().numpy()
    columns = _bumps(np.arange(width) + 0.5, points[:, 0], scale)
    rows = _bumps(np.arange(height) + 0.5, points[:, 1], scale)
    drawn = (rows * points[:, 2:3]).T @ columns
    return min_max(torch.from_numpy(drawn)[None])[0].float()


def _bumps(pixels: np.ndarray, centres: np.ndarray, scale: float) -> np.ndarray:
    """One Gaussian per centre along an axis, (centres, pixels); `scale` is screen pixels per pixel."""
    offsets = (pixels[None] - centres[:, None]) * scale
    bumps: np.ndarray = np.exp(-(offsets**2) / (2 * SPREAD**2)) * ((offsets >= -REACH) & (offsets < REACH))
    return bumps


def box_map(boxes: Tensor, height: int, width: int) -> Tensor:
    """1 in every pixel whose centre lies in one of the boxes (count, 4), 0 elsewhere; (height, width).

    A box is left, top, right, bottom in pixels from the top left corner of the image.

    >>> box_map(torch.tensor([[1.0, 0.0, 3.0, 1.0]]), 2, 4).tolist()
    [[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]
    """
    left, top, right, bottom = boxes.reshape(-1, 4, 1, 1).unbind(1)
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)).any(0).float()


def object_of(truth: Tensor) -> Tensor:
    """The pixels, bool, at least half as high as the highest of their truth map (batch, height, width).

    A mask or a box is its own object; a soft map (gaze) is cut at half of its peak, so the oracle stays perfect.

    >>> object_of(torch.tensor([[[0.2, 0.4, 0.9]]])).tolist()
    [[[False, False, True]]]
    """
    return truth >= truth.flatten(1).amax(1)[:, None, None] / 2
