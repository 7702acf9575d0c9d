"""Performance information curves (Kapishnikov et al., 2019): an output against the information that an image holds.

An image is shown at a few of its pixels and straight in between; how much it then holds is the size of its file in
lossless WebP, as in the code that the authors published.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.interpolate import LinearNDInterpolator
from torch import Tensor

from bench.api import OK, Explained, Scored
from bench.api.network import from_pixels, to_pixels
from bench.engine import logits_in_chunks
from bench.errors import UnsupportedError
from bench.functional.heatmaps import ranks

SHARES = (0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.07, 0.10, 0.13, 0.21, 0.34, 0.5, 0.75)
_POINTS = 1000
_STORED = 10  # every tenth of them
_SEEN = 0.01
Levels = NDArray[np.uint8]


@dataclass(frozen=True)
class Stages:
    """An image from its blurred version over more and more of its highest pixels to the whole.

    `images` (stage, channel, height, width) normalised; `sizes` (stage,) of their files in bytes.
    """

    images: Tensor
    sizes: NDArray[np.int64]


def information_scores(explained: Explained, least: float, outputs_of: Callable[[Tensor, Tensor], Tensor]) -> Scored:
    """The area and the curve of each image, or why it has none.

    `outputs_of` takes logits (stage, class) and targets (stage,) and returns what the curve is of, (stage,).
    """
    areas, curves, statuses = [], [], []
    for row in range(len(explained.request)):
        own = stages(explained, row)
        logits = logits_in_chunks(explained.network, own.images)
        outputs = outputs_of(logits, explained.targets[row].expand(len(logits)))
        area, curve, status = information_curve(outputs.cpu().numpy(), own.sizes, least)
        areas.append(area)
        curves.append(torch.from_numpy(curve))
        statuses.append(status)
    return Scored(torch.tensor(areas, dtype=torch.float64), torch.stack(curves), tuple(statuses))


def stages(explained: Explained, row: int) -> Stages:
    """One image of the batch, blurred to a hundredth of its pixels (at random), with the highest SHARES, and whole."""
    images = explained.images[row : row + 1]
    pixels = to_pixels(images.detach(), explained.network.preprocess)[0]
    levels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    if levels.shape[2] not in {1, 3}:
        raise UnsupportedError(f"information curves are of grey or RGB images, not of {levels.shape[2]} channels")
    heatmap = explained.heatmaps[row].double().cpu().numpy()
    seen = _seen(explained.select([row]))
    shown = [heatmap >= np.quantile(heatmap, 1 - share) for share in SHARES]
    versions = [blurred(levels, seen), *(blurred(levels, seen | own) for own in shown), levels]
    stacked = torch.from_numpy(np.stack(versions)).permute(0, 3, 1, 2).to(images) / 255
    return Stages(from_pixels(stacked, explained.network.preprocess), np.array([file_size(own) for own in versions]))


def blurred(levels: Levels, known: NDArray[np.bool_]) -> Levels:
    """An image (height, width, channel) kept where `known` and at its corners, linear over triangles in between."""
    known = known.copy()
    known[[0, 0, -1, -1], [0, -1, 0, -1]] = True
    result = levels.copy()
    if min(known.shape) > 1 and not known.all():
        between = LinearNDInterpolator(np.argwhere(known), levels[known].astype(float))
        # Single precision, as published: halves that rounding has moved a little round as halves.
        result[~known] = between(np.argwhere(~known)).astype(np.float32).round()
    return result


def file_size(levels: Levels) -> int:
    """Bytes of the image (height, width, channel) in lossless WebP."""
    file = io.BytesIO()
    Image.fromarray(levels.squeeze(2) if levels.shape[2] == 1 else levels).save(
        file, format="webp", lossless=True, quality=100
    )
    return file.tell()


def information_curve(
    outputs: NDArray[np.float64], sizes: NDArray[np.int64], least: float
) -> tuple[float, NDArray[np.float64], str]:
    """The area under the curve of an image's stages, the curve at 101 shares of information, and a status.

    Outputs and sizes are scaled from the blurred image, 0, to the whole one, 1; the output never falls with more
    pixels. Not scored, as published: an output below `least`, or one that the blurred image reaches, or its size.
    """
    status = OK
    if outputs[-1] < least:
        status = f"output below {least:g}"
    elif outputs[0] >= outputs[-1]:
        status = "the blurred image does as well"
    elif sizes[0] >= sizes[-1]:
        status = "the blurred image is no smaller"
    if status != OK:
        return np.nan, np.full(_POINTS // _STORED + 1, np.nan), status
    information = ((sizes[1:-1] - sizes[0]) / (sizes[-1] - sizes[0])).clip(0, 1)
    reached = np.maximum.accumulate(((outputs[1:-1] - outputs[0]) / (outputs[-1] - outputs[0])).clip(0, 1))
    order = np.argsort([*information, 0, 1], kind="stable")
    places = np.linspace(0, 1, _POINTS + 1)
    curve = np.interp(places, np.array([*information, 0, 1])[order], np.array([*reached, 0, 1])[order])
    curve[-1] = 1
    return float(np.trapezoid(curve, places)), curve[::_STORED], status


def _seen(explained: Explained) -> NDArray[np.bool_]:
    """The pixels that are never hidden, the same for every method."""
    order = ranks(explained.rng.of("seen").uniform(explained.heatmaps.shape[1:], torch.empty(0, dtype=torch.float64)))
    return np.asarray(order[0].numpy() < int(_SEEN * order[0].numel()))
