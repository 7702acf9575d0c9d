"""The embedded data set: made on demand from photographs inside scikit-image, with a truth map that is exact."""

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from bench.api import Dataset, Sample
from bench.api.randomness import generator
from bench.data.textures import QUARTERS, FloatArray, Photograph, file_hash, quarter, relief
from bench.errors import HeatmarkError, nearest

# Textures that go on much alike all over a photograph, three of them from near and from far: a class is an
# arrangement of pixels at a scale.
EVIDENCE = {
    "brick": Photograph("brick.png", 0.5),
    "galaxies": Photograph("hubble_deep_field.jpg", 0.4),
    "gravel": Photograph("gravel.png", 0.7),
    "letters": Photograph("page.png", 1.05, (0.0, 0.0, 0.75, 1.0)),
    "masonry": Photograph("brick.png", 0.95),
    "pebbles": Photograph("gravel.png", 0.3),
    "print": Photograph("page.png", 0.6, (0.0, 0.0, 0.75, 1.0)),
    "wall": Photograph("brick.png", 0.27),
}
# None of them shows what a class shows: of the cameraman's photograph the lawn is left out.
SCENES = (
    Photograph("astronaut.png", 0.6),
    Photograph("camera.png", 0.6, (0.0, 0.0, 0.6, 1.0)),
    Photograph("chelsea.png", 0.7),
    Photograph("coffee.png", 0.55),
    Photograph("motorcycle_left.png", 0.5),
    Photograph("rocket.jpg", 0.55),
)
ZOOMS = (0.93, 0.965, 1.0, 1.035, 1.07)
SIDES = (30.0, 32.0)
SURROUNDINGS = 10.0
CROPS = 6


@dataclass(frozen=True)
class Planted(Dataset):
    """Patches of photographic texture in a photograph; the texture of one of them is the class.

    Each image has one patch of evidence and `distractors` patches cut from photographs that are no class. All
    patches are made alike: form, size, place, tint and contrast are drawn in the same way whatever they show, and
    the brightness of the pixels of a patch is replaced by their rank, so that only the arrangement of its pixels
    tells one patch from another. The truth map is 1 on the pixels of the evidence, 0 elsewhere; patches never
    overlap. Training, validation and test images come from parts of the photographs that do not touch.

    `size` is the side of the images in pixels; the layout grows with it, from 32 pixels on. An image is decided
    by `seed`, split and position alone: other numbers of images leave it as it is.
    """

    reference: ClassVar[str] = "heatmark; photographs of scikit-image (van der Walt et al., 2014, PeerJ 2:e453)"
    splits: ClassVar[tuple[str, ...]] = ("train", "val", "test")
    redistributable: ClassVar[bool] = True
    made: ClassVar[bool] = True

    size: int = 64
    seed: int = 0
    distractors: int = 1
    train_images: int = 16000
    val_images: int = 1000
    test_images: int = 2000

    def __post_init__(self) -> None:
        if self.size < 32:
            raise ValueError(f"size {self.size}: expected 32 pixels or more")
        if self.distractors not in {0, 1}:
            raise ValueError(f"distractors {self.distractors}: expected 0 or 1; there is no room for more")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the textures."""
        return tuple(EVIDENCE)

    def ids(self, split: str) -> tuple[str, ...]:
        """The split and the position."""
        return tuple(f"{split}/{position:06d}" for position in range(self._count(split)))

    def labels(self, split: str) -> tuple[int, ...]:
        """All classes in turn."""
        return tuple(position % len(EVIDENCE) for position in range(self._count(split)))

    def sample(self, split: str, position: int) -> Sample:
        """The image, its values multiples of 1/255 as in a file."""
        if not 0 <= position < self._count(split):
            raise HeatmarkError(f"planted: no image {position} in {split!r}, which has {self._count(split)}")
        # Images of other splits come once, and there may be any number of them.
        drawn = _drawn if split == "train" else _drawn.__wrapped__
        levels, truth = drawn(self.size, self.seed, self.distractors, split, position)
        image, label = torch.from_numpy(levels).float() / 255, position % len(EVIDENCE)
        return Sample(f"{split}/{position:06d}", image, label, torch.from_numpy(truth).float())

    def fingerprint(self) -> str:
        """The settings, what is cut from which photograph, and the bytes of the photographs."""
        files = sorted({photograph.file for photograph in (*EVIDENCE.values(), *SCENES)})
        recipe = (self.settings, EVIDENCE, SCENES, ZOOMS, SIDES, SURROUNDINGS, CROPS, [file_hash(f) for f in files])
        return hashlib.sha256(repr(recipe).encode()).hexdigest()

    def _count(self, split: str) -> int:
        counts = {"train": self.train_images, "val": self.val_images, "test": self.test_images}
        if split not in counts:
            raise HeatmarkError(f"planted has no split {split!r}; {nearest(split, counts)}")
        return counts[split]


# Training asks for the same images in every epoch; drawing one takes longer than a step of a small network on it.
@lru_cache(maxsize=32768)
def _drawn(
    size: int, seed: int, distractors: int, split: str, position: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """The levels (3, size, size) of an image and its truth map (size, size)."""
    rng = generator("planted", seed, split, position)
    scale = size / 64
    image = _background(split, size, rng)
    truth = np.zeros((size, size), np.bool_)
    evidence = list(EVIDENCE.values())[position % len(EVIDENCE)]
    sources = [evidence, *(_scene(rng) for _ in range(distractors))]
    sides = np.round(rng.uniform(*SIDES, len(sources)) * scale).astype(int)
    for number, (side, (top, left)) in enumerate(zip(sides, _corners(sides, size, rng), strict=True)):
        window = slice(top, top + side), slice(left, left + side)
        blob = _blob(side, rng)
        texture = _texture(sources[number], split, side, scale, rng)
        image[window][blob] = _tinted(_ranks(texture[blob], rng), rng)
        if number == 0:
            truth[window] = blob
    return np.ascontiguousarray((image.transpose(2, 0, 1) * 255).round().astype(np.uint8)), truth


def _scene(rng: np.random.Generator) -> Photograph:
    return SCENES[rng.integers(len(SCENES))]


def _background(split: str, size: int, rng: np.random.Generator) -> FloatArray:
    """A window of a photograph, perhaps mirrored, under light of a random colour."""
    photograph = _scene(rng)
    pixels = quarter(photograph, _quarter(split, rng), photograph.zoom * _zoom(rng) * size / 64)
    top, left = rng.integers(0, (pixels.shape[0] - size + 1, pixels.shape[1] - size + 1))
    light = rng.uniform(0.7, 1.2, 3).astype(np.float32)
    crop = pixels[top : top + size, left : left + size]
    return (crop[:, :: _direction(rng)] * light).clip(0, 1)


def _quarter(split: str, rng: np.random.Generator) -> int:
    return QUARTERS[split][rng.integers(len(QUARTERS[split]))]


def _zoom(rng: np.random.Generator) -> float:
    return ZOOMS[rng.integers(len(ZOOMS))]


def _direction(rng: np.random.Generator) -> int:
    return int(1 - 2 * rng.integers(2))


def _corners(sides: NDArray[np.int64], size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Top left corners (patch, 2) at which the circles inside the patches' squares do not overlap."""
    apart = np.add.outer(sides, sides) / 2
    np.fill_diagonal(apart, 0)
    while True:
        corners: NDArray[np.int64] = rng.integers(0, size - sides[:, None] + 1, (64, len(sides), 2))
        centres = corners + sides[:, None] / 2
        gaps = np.hypot(*np.moveaxis(centres[:, :, None] - centres[:, None], -1, 0))
        free = (gaps >= apart).all((1, 2))
        if free.any():
            return np.asarray(corners[free.argmax()])


@cache
def _disc(side: int) -> tuple[FloatArray, FloatArray]:
    """For a square of this side: distances from the centre in radii, and six waves around the centre."""
    axis = ((np.arange(side) - (side - 1) / 2) / (side / 2)).astype(np.float32)
    turns = np.arctan2(axis[:, None], axis)[..., None] * np.array((2, 3, 4), np.float32)
    return np.hypot(axis[:, None], axis), np.concatenate([np.cos(turns), np.sin(turns)], 2)


def _blob(side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A wavy disc that stays inside the circle in a square of this side."""
    distances, waves = _disc(side)
    heights, phases = rng.uniform(0, 0.07, 3), rng.uniform(0, 2 * np.pi, 3)
    edge = waves @ np.concatenate([heights * np.cos(phases), heights * np.sin(phases)]).astype(np.float32)
    return np.asarray(distances * (1 + heights.sum()) <= 1 + edge)


def _texture(photograph: Photograph, split: str, side: int, scale: float, rng: np.random.Generator) -> FloatArray:
    """A square of a photograph's relief, turned and mirrored at random: of a few squares the liveliest."""
    pixels = relief(photograph, _quarter(split, rng), photograph.zoom * _zoom(rng) * scale, SURROUNDINGS * scale)
    corners = rng.integers(0, (pixels.shape[0] - side + 1, pixels.shape[1] - side + 1), (CROPS, 2))
    squares = [pixels[top : top + side, left : left + side] for top, left in corners]
    liveliest = max(squares, key=lambda square: float(square.var()))
    turned = liveliest.T if rng.random() < 0.5 else liveliest
    return turned[:: _direction(rng), :: _direction(rng)]


def _ranks(values: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The rank of each value from 0 to 1: every patch gets the same histogram. Chance decides between equals."""
    ranks = np.empty(len(values), np.float32)
    ranks[np.argsort(values + rng.uniform(0, 1e-4, len(values)))] = np.linspace(0, 1, len(values))
    return ranks


def _tinted(ranks: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Colours (pixel, 3) on a straight line from a random dark to a random light one, inside [0, 1]."""
    contrast = rng.uniform(0.7, 0.95) * rng.uniform(0.9, 1, 3)
    dark = rng.uniform(0, 1 - contrast)
    return np.asarray(dark + ranks[:, None] * contrast, dtype=np.float32)
