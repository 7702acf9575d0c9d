"""Photographs that come inside scikit-image's wheel, cut into quarters that no two splits share."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from bench.errors import HeatmarkError

FloatArray = NDArray[np.float32]
# Every photograph is cut across its longer side into quarters, numbered from the left or from the top.
QUARTERS = {"train": (0, 3), "val": (1,), "test": (2,)}


@dataclass(frozen=True)
class Photograph:
    """A photograph by file name, and how it is seen.

    `zoom` is how many pixels of a 64-pixel scene one pixel of the file becomes; `part` is (top, left, bottom,
    right) as fractions: what lies outside is never used.
    """

    file: str
    zoom: float
    part: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)


@cache
def quarter(photograph: Photograph, number: int, zoom: float) -> FloatArray:
    """A quarter of a photograph in colour, (height, width, 3) in [0, 1], resampled by `zoom`."""
    from skimage.transform import rescale  # slow to import

    pixels = _read(photograph.file)
    top, left, bottom, right = photograph.part
    height, width = pixels.shape[:2]
    pixels = pixels[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    axis = int(pixels.shape[1] > pixels.shape[0])
    # Cut before anything is filtered, so that no pixel of one quarter reaches another.
    cut = np.array_split(pixels, 4, axis)[number]
    scaled = rescale(cut, zoom, anti_aliasing=zoom < 1, channel_axis=2)
    return np.ascontiguousarray(scaled.clip(0, 1), dtype=np.float32)


@cache
def relief(photograph: Photograph, number: int, zoom: float, blur: float) -> FloatArray:
    """The brightness of a quarter less its surroundings (a Gaussian of `blur` pixels), (height, width).

    Uneven lighting goes, the texture stays.
    """
    from skimage.color import rgb2gray

    grey = rgb2gray(quarter(photograph, number, zoom))
    return np.asarray(grey - gaussian_filter(grey, blur), dtype=np.float32)


@cache
def file_hash(file: str) -> str:
    """SHA-256 of a photograph's file."""
    return hashlib.sha256(file_path(file).read_bytes()).hexdigest()


@cache
def _read(file: str) -> FloatArray:
    from skimage.io import imread

    pixels = np.asarray(imread(file_path(file)), dtype=np.float32) / np.float32(255)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]


def file_path(file: str) -> Path:
    """Where a photograph lies; HeatmarkError where scikit-image came without it."""
    import skimage

    path = Path(skimage.__file__).parent / "data" / file
    if not path.is_file():
        raise HeatmarkError(f"{path} is missing: it comes with scikit-image; install scikit-image 0.24 or newer again")
    return path
