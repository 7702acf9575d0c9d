"""Read images; resize, cut and normalise an image, its truth map and its fixations together.

Fixations are measured from the top left corner, in pixels: the first pixel reaches from 0 to 1, its centre is
at 0.5. So they scale with the image, as `align_corners=False` does, and rounding down gives their pixel.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps
from torch import Tensor

from bench.api import Preprocess, Sample
from bench.api.dataset import Without
from bench.api.network import from_pixels
from bench.errors import HeatmarkError
from bench.settings import Interpolation

_USUAL = Preprocess()
# What torch resizes in floating point; Pillow does the others.
_TORCH = ("bilinear", "bicubic")

_BITS = 258  # the tag of a TIFF file that holds its bits per sample


def prepare(sample: Sample, preprocess: Preprocess) -> Sample:
    """The sample as a network wants it: resized, cut out of the centre, its image normalised."""
    size = resized_size(sample.image.shape[-2:], preprocess)
    cut = centre_crop(resize(sample, size, preprocess), preprocess.size)
    without = None if sample.without is None else partial(_prepared_without, sample.without, preprocess)
    return replace(cut, image=normalise(cut.image, preprocess), without=without)


def _prepared_without(without: Without, preprocess: Preprocess, levels: tuple[float, ...]) -> Tensor:
    """An image with parts gone as a network wants it."""
    return prepare(Sample("", without(levels), 0), preprocess).image


def resized_size(shape: tuple[int, ...], preprocess: Preprocess) -> tuple[int, int]:
    """(height, width) that an image of this shape is resized to before it is cut."""
    if preprocess.resize is None:
        return preprocess.size
    if isinstance(preprocess.resize, tuple):
        return preprocess.resize
    height, width = shape
    shorter = min(height, width)
    return int(preprocess.resize * height / shorter), int(preprocess.resize * width / shorter)


def resize(sample: Sample, size: tuple[int, int], preprocess: Preprocess = _USUAL) -> Sample:
    """The sample at another (height, width); itself when it has that size.

    Its image as `preprocess` says, its truth map bilinear with antialiasing.
    """
    height, width = sample.image.shape[-2:]
    if (height, width) == size:
        return sample
    return replace(
        sample,
        image=resized_image(sample.image, size, preprocess.interpolation, preprocess.antialias),
        truth=None if sample.truth is None else _interpolated(sample.truth[None], size)[0],
        fixations=None if sample.fixations is None else _rescaled(sample.fixations, size[0] / height, size[1] / width),
    )


def resized_image(
    image: Tensor, size: tuple[int, int], interpolation: Interpolation = "bilinear", antialias: bool = True
) -> Tensor:
    """An image (channel, height, width) in [0, 1] at another size.

    An image of 8-bit levels (every file) is resized by Pillow and keeps to levels, exactly as the usual
    evaluation transform does; any other image in its own floating point. Without `antialias` by torch.
    """
    levels = (image * 255).round()
    whole = torch.equal(levels / 255, image)
    if interpolation in _TORCH and not (whole and antialias):
        resized = _interpolated(image, size, interpolation, antialias)
        resized = resized.clamp(0, 1) if interpolation == "bicubic" else resized  # it goes beyond at edges
        return (resized * 255).round() / 255 if whole else resized
    filtered = Image.Resampling[interpolation.upper()]
    given = levels.byte() if whole else image.float()
    planes = [Image.fromarray(plane).resize(size[::-1], filtered) for plane in given.numpy()]
    resized = torch.from_numpy(np.stack([np.array(plane) for plane in planes])).to(image.dtype)
    return resized / 255 if whole else resized.clamp(0, 1)


def centre_crop(sample: Sample, size: tuple[int, int]) -> Sample:
    """The centre of the sample; raises HeatmarkError when the sample is smaller than `size`."""
    height, width = sample.image.shape[-2:]
    if height < size[0] or width < size[1]:
        raise HeatmarkError(f"preprocess resizes to {height}x{width}, smaller than its size {size[0]}x{size[1]}")
    return crop(sample, round((height - size[0]) / 2), round((width - size[1]) / 2), size)


def crop(sample: Sample, top: int, left: int, size: tuple[int, int]) -> Sample:
    """A window of the sample; fixations outside it are dropped."""
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    return replace(
        sample,
        image=sample.image[:, rows, columns],
        truth=None if sample.truth is None else sample.truth[rows, columns],
        fixations=None if sample.fixations is None else _within(_moved(sample.fixations, -left, -top), size),
    )


def normalise(image: Tensor, preprocess: Preprocess) -> Tensor:
    """(image - mean) / std; a grey image first gets as many channels as there are means."""
    channels = len(preprocess.mean)
    if image.shape[0] not in (1, channels):
        raise HeatmarkError(f"an image of {image.shape[0]} channels met a network that takes {channels}")
    return from_pixels(image.expand(1, channels, -1, -1), preprocess)[0]


def read_image(path: Path) -> Tensor:
    """An image file as RGB, (3, height, width) float32 in [0, 1], turned upright as its EXIF says.

    Raises HeatmarkError naming the path when the file is missing or cannot be decoded to its end.
    """
    return torch.from_numpy(np.array(_decoded(path, "RGB"))).permute(2, 0, 1).contiguous().float() / 255


def check_size(what: str, size: Sequence[int], expected: Sequence[int]) -> None:
    """Raises HeatmarkError naming a picture whose (height, width) is not that of its image."""
    if tuple(size) != tuple(expected):
        there, image = (f"{width}x{height}" for height, width in (size, expected))
        raise HeatmarkError(f"{what} is {there}, its image {image}")


def read_mask(path: Path) -> Tensor:
    """An image file as one grey map, (height, width) float32 in [0, 1]; raises as `read_image` does."""
    return torch.from_numpy(np.array(_decoded(path, "L"))).float() / 255


def read_indices(path: Path) -> Tensor:
    """An image file with a palette or of grey levels as the numbers that it holds, (height, width) int64.

    Raises as `read_image` does, and where the file holds colours.
    """
    if not path.is_file():
        raise HeatmarkError(f"no image file {path}")
    try:
        with Image.open(path) as file:
            mode, values = file.mode, np.array(file)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise HeatmarkError(f"image file {path} cannot be read: {error}; expected a whole image") from error
    if mode not in ("P", "L"):
        raise HeatmarkError(f"image file {path} is of mode {mode}; expected a palette or grey levels, a number a class")
    return torch.from_numpy(values).long()


def inside(root: Path, relative: str) -> Path:
    """The path `relative` under `root`; raises HeatmarkError when it is absolute or climbs out by `..`.

    Judged by its text: links that the owner of the data has put inside the root are followed.
    """
    path = Path(relative)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise HeatmarkError(f"path {relative!r} leaves its root {root}; expected a path below it")
    return root / path


def _decoded(path: Path, mode: str) -> Image.Image:
    if not path.is_file():
        raise HeatmarkError(f"no image file {path}")
    try:
        with Image.open(path) as file:
            upright = ImageOps.exif_transpose(file)
            if upright.mode == "F" or upright.mode.startswith("I"):
                return _eight_bits(upright, getattr(file, "tag_v2", {}).get(_BITS)).convert(mode)
            return upright.convert("RGBA").convert(mode) if upright.mode == "P" else upright.convert(mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise HeatmarkError(f"image file {path} cannot be read: {error}; expected a whole image") from error


def _eight_bits(image: Image.Image, bits: tuple[int, ...] | None) -> Image.Image:
    """A grey image of 16 bits or of floating point as one of 8, scaled, where Pillow would clip it."""
    values = np.array(image).astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if image.mode == "F":
        top, expected = 1.0, "floating point from 0 to 1"
    else:
        # Pillow opens 16 bits of some formats, and whatever has 32, under the same name.
        top, expected = 65535.0, "8 or 16 bits"
        if bits == (32,):
            raise ValueError("it has 32 bits per pixel, expected 8 or 16")
    if not (low >= 0 and high <= top):
        raise ValueError(f"its values reach from {low:g} to {high:g}, expected {expected}")
    return Image.fromarray((values / top * 255).round().astype(np.uint8))


def _interpolated(
    image: Tensor, size: tuple[int, int], mode: Interpolation = "bilinear", antialias: bool = True
) -> Tensor:
    return F.interpolate(image[None], size, mode=mode, antialias=antialias, align_corners=False)[0]


def _rescaled(fixations: Tensor, vertical: float, horizontal: float) -> Tensor:
    return fixations * fixations.new_tensor([horizontal, vertical, 1, 1])


def _moved(fixations: Tensor, right: int, down: int) -> Tensor:
    return fixations + fixations.new_tensor([right, down, 0, 0])


def _within(fixations: Tensor, size: tuple[int, int]) -> Tensor:
    x, y = fixations[:, 0], fixations[:, 1]
    return fixations[(x >= 0) & (x < size[1]) & (y >= 0) & (y < size[0])]
