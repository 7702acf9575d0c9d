"""A tiny FunnyBirds in the layout of the authors' archive."""

import json
from collections.abc import Iterable
from itertools import chain, combinations
from pathlib import Path

import numpy as np
from PIL import Image

from bench.datasets.funny_birds import PARTS

SIDE = 16
# Kinds of beak, eye, foot, tail and wing of three classes.
KINDS = ((0, 0, 0, 0, 0), (1, 0, 0, 0, 0), (0, 1, 1, 0, 2))
# By part: where it lies (rows, columns), one window for each of its colours.
PLACES = {
    "beak": (((0, 3), (0, 3)),),
    "eye": (((0, 2), (6, 8)), ((0, 2), (10, 12))),
    "foot": (((12, 16), (0, 3)), ((12, 16), (5, 8))),
    "tail": (((6, 10), (12, 16)),),
    "wing": (((5, 9), (0, 4)), ((5, 9), (6, 9))),
}


def write_birds(root: Path, test: Iterable[int] = (0, 2, 1), train: Iterable[int] = (1,)) -> Path:
    """Images of these classes in both splits; in those for testing any parts may be gone."""
    root.mkdir(parents=True, exist_ok=True)
    classes = [{"class_idx": i, "parts": dict(zip(PARTS, kinds, strict=True))} for i, kinds in enumerate(KINDS)]
    (root / "classes.json").write_text(json.dumps(classes))
    for split, labels in (("train", train), ("test", test)):
        rows = [{"class_idx": label, "bg_objects": "0,1,"} for label in labels]
        (root / f"dataset_{split}.json").write_text(json.dumps(rows))
        for number, label in enumerate(labels):
            _save(root / split / str(label) / f"{number:06d}.png", bird(label, number, PARTS))
            _save(root / f"{split}_part_map" / str(label) / f"{number:06d}.png", part_map())
            folder = root / f"{split}_interventions" / str(label) / f"{number:06d}"
            for kept in chain.from_iterable(combinations(PARTS, count) for count in range(6) if split == "test"):
                _save(folder / f"body_{'_'.join(kept)}.png", bird(label, number, kept))
    return root


def bird(label: int, number: int, kept: Iterable[str]) -> np.ndarray:
    """Parts in the colours of their kinds before a background that is nowhere grey."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(0, 90, (SIDE, SIDE, 4), np.uint8)
    pixels[:, :, 3] = 255
    for place, (part, kind) in enumerate(zip(PARTS, KINDS[label], strict=True)):
        for rows, columns in PLACES[part] if part in kept else ():
            pixels[slice(*rows), slice(*columns), :3] = np.roll([220, 90 + 60 * kind, 30 * place], place)
    return pixels


def part_map() -> np.ndarray:
    """Its parts by colour, the body and one thing behind it."""
    pixels = np.zeros((SIDE, SIDE, 4), np.uint8)
    pixels[:, :, 3] = 255
    pixels[9:12, 5:12, :3] = (1, 2, 3)
    pixels[3:5, 13:16, :3] = (204, 204, 205)
    for part, windows in PLACES.items():
        for (rows, columns), colour in zip(windows, PARTS[part], strict=True):
            pixels[slice(*rows), slice(*columns), :3] = colour
    return pixels


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
