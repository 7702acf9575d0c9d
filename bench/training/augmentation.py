"""Random changes of training images, their truth maps and fixations together."""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Preprocess, Sample
from bench.data.transforms import centre_crop, crop, normalise, resize, resized_size
from bench.errors import HeatmarkError
from bench.training.hyperparameters import Augmentation


def augmented(sample: Sample, augmentation: Augmentation, preprocess: Preprocess, rng: np.random.Generator) -> Sample:
    """The sample as a network is trained on it: varied, resized, cut and normalised.

    Made as `bench.data.transforms.prepare` makes it when the augmentation varies nothing. All chance comes from `rng`,
    which belongs to the image and the epoch, so that neither batch nor worker matters.
    """
    varied = _flipped(_rotated(sample, augmentation, rng), augmentation, rng)
    varied = replace(varied, image=_jittered(_blurred(varied.image, augmentation, rng), augmentation, rng))
    cut = _cut(varied, augmentation, preprocess, rng)
    return replace(cut, image=normalise(cut.image, preprocess))


def _rotated(sample: Sample, augmentation: Augmentation, rng: np.random.Generator) -> Sample:
    if not augmentation.rotation:
        return sample
    angle = rng.uniform(-augmentation.rotation, augmentation.rotation)
    return replace(
        sample,
        image=_turned(sample.image, angle),
        truth=None if sample.truth is None else _turned(sample.truth[None], angle)[0],
        fixations=None if sample.fixations is None else _turned_points(sample.fixations, angle, sample.image.shape),
    )


def _turned(image: Tensor, angle: float) -> Tensor:
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2.functional import rotate

    turned: Tensor = rotate(image, angle, InterpolationMode.BILINEAR)
    return turned


def _turned_points(fixations: Tensor, angle: float, shape: torch.Size) -> Tensor:
    """Points turned counter-clockwise about the centre of the image."""
    centre = fixations.new_tensor([shape[2] / 2, shape[1] / 2])
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    turn = fixations.new_tensor([[cosine, -sine], [sine, cosine]])
    return torch.cat([(fixations[:, :2] - centre) @ turn + centre, fixations[:, 2:]], 1)


def _flipped(sample: Sample, augmentation: Augmentation, rng: np.random.Generator) -> Sample:
    if not augmentation.flip or rng.random() >= augmentation.flip:
        return sample
    return replace(
        sample,
        image=sample.image.flip(2),
        truth=None if sample.truth is None else sample.truth.flip(1),
        fixations=None if sample.fixations is None else _mirrored(sample.fixations, sample.image.shape[2]),
    )


def _mirrored(fixations: Tensor, width: int) -> Tensor:
    return torch.cat([width - fixations[:, :1], fixations[:, 1:]], 1)


def _blurred(image: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    if not augmentation.blur:
        return image
    from torchvision.transforms.v2.functional import gaussian_blur

    blurred: Tensor = gaussian_blur(image, augmentation.blur, float(rng.uniform(0.1, 2.0)))
    return blurred


def _jittered(image: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    strengths = {
        "brightness": augmentation.brightness,
        "contrast": augmentation.contrast,
        "saturation": augmentation.saturation,
        "hue": augmentation.hue,
    }
    changes = [name for name, strength in strengths.items() if strength]
    for position in rng.permutation(len(changes)):
        name, strength = changes[position], strengths[changes[position]]
        lowest, highest = (-strength, strength) if name == "hue" else (max(0.0, 1 - strength), 1 + strength)
        image = _adjusted(image, name, float(rng.uniform(lowest, highest)))
    return image


def _adjusted(image: Tensor, name: str, amount: float) -> Tensor:
    from torchvision.transforms.v2 import functional

    adjusted: Tensor = getattr(functional, f"adjust_{name}")(image, amount)
    return adjusted


def _cut(sample: Sample, augmentation: Augmentation, preprocess: Preprocess, rng: np.random.Generator) -> Sample:
    height, width = sample.image.shape[1:]
    if augmentation.crop == "random_resized":
        return resize(crop(sample, *_window(height, width, rng)), preprocess.size, preprocess)
    resized = resize(sample, resized_size((height, width), preprocess), preprocess)
    if augmentation.crop == "centre":
        return centre_crop(resized, preprocess.size)
    return _cropped_anywhere(resized, preprocess.size, rng)


def _window(height: int, width: int, rng: np.random.Generator) -> tuple[int, int, tuple[int, int]]:
    """Top, left and size of a window of 8% to 100% of the area, 3:4 to 4:3; after ten misses the largest of these."""
    for _ in range(10):
        area = height * width * rng.uniform(0.08, 1.0)
        aspect = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        size = (round(math.sqrt(area / aspect)), round(math.sqrt(area * aspect)))
        if 0 < size[0] <= height and 0 < size[1] <= width:
            return int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1)), size
    size = (min(height, round(width * 4 / 3)), min(width, round(height * 4 / 3)))
    return (height - size[0]) // 2, (width - size[1]) // 2, size


def _cropped_anywhere(sample: Sample, size: tuple[int, int], rng: np.random.Generator) -> Sample:
    height, width = sample.image.shape[1:]
    if height < size[0] or width < size[1]:
        raise HeatmarkError(f"a random crop of {size[0]}x{size[1]} does not fit the image resized to {height}x{width}")
    return crop(sample, int(rng.integers(height - size[0] + 1)), int(rng.integers(width - size[1] + 1)), size)
