"""Human gaze: read fixation files, and draw fixations as a map.

Two forms of file (CUB-GHA, Rong et al., 2021, arXiv:2106.13620), told apart by the number of fields in a line:
`image, width, height, then (x, y, ms) per fixation`, in pixels of the image, one file for each viewing; and
`image, width, height, four numbers for the place of the image on a 1920 x 1080 screen, then the triples`, in
pixels of the screen, all viewings in one file. A pixel is meant by its centre.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bench.data.folders import text_lines
from bench.errors import HeatmarkError
from bench.functional.heatmaps import min_max
from bench.functional.truth_maps import SCREEN_HEIGHT, SCREEN_WIDTH, _bumps

LARGEST_NUMBER = 2**31
LARGEST_SIDE = 2**16


@dataclass(frozen=True)
class Viewing:
    """One line of a fixation file: `points` (count, 3) int64, x, y and duration in ms.

    `place` is the image's width, height, x and y on the screen, which the points are then pixels of;
    without it they are pixels of the image.
    """

    image: int
    number: int
    height: int
    width: int
    points: np.ndarray
    place: tuple[int, int, int, int] | None = None

    def lasting(self, milliseconds: int) -> np.ndarray:
        """The points of at least this duration."""
        kept: np.ndarray = self.points[self.points[:, 2] >= milliseconds]
        return kept


def gaze_files(folder: Path) -> list[Path]:
    """Fixation_run*.txt, or else Fixation.txt; raises HeatmarkError when the folder has neither."""
    files = sorted(folder.glob("Fixation_run*.txt")) or list(folder.glob("Fixation.txt"))
    if not files:
        raise HeatmarkError(f"no gaze in {folder}; expected Fixation_run1.txt and so on, or Fixation.txt")
    return files


def read_gaze(folder: Path) -> dict[int, tuple[Viewing, ...]]:
    """All viewings by image number, from the files of the folder.

    Lines that repeat an image within a run belong to the same viewing; in Fixation.txt lines are counted.
    Raises HeatmarkError naming a line that fits neither form.
    """
    viewings: dict[int, list[Viewing]] = {}
    for number, path in enumerate(gaze_files(folder), 1):
        for viewing in _read(path, number):
            viewings.setdefault(viewing.image, []).append(viewing)
    return {image: tuple(own) for image, own in viewings.items()}


def fixations_of(viewings: Sequence[Viewing], minimum_duration: int) -> Tensor:
    """Fixations on the image, (count, 4) float32: x, y from its top left corner, duration in ms, viewing."""
    rows = [np.empty((0, 4))]
    for viewing in viewings:
        points = viewing.lasting(minimum_duration)
        width, height, left, top = viewing.place or (viewing.width, viewing.height, 0, 0)
        x = (points[:, 0] + 0.5 - left) * viewing.width / width
        y = (points[:, 1] + 0.5 - top) * viewing.height / height
        on_image = (x >= 0) & (x < viewing.width) & (y >= 0) & (y < viewing.height)
        rows.append(np.stack([x, y, points[:, 2], np.full(len(points), viewing.number)], 1)[on_image])
    return torch.from_numpy(np.concatenate(rows)).float()


def published_map(viewings: Sequence[Viewing], minimum_duration: int) -> Tensor:
    """The viewings of an image as the published script draws them, (height, width) float32 in levels of 8 bits.

    The map on the screen is truncated to 8 bits and resized to the image by Pillow (bicubic).
    """
    levels = (screen_map(viewings, minimum_duration) * 255).byte().numpy()
    size = (viewings[0].width, viewings[0].height)
    return torch.from_numpy(np.array(Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC))).float() / 255


def screen_map(viewings: Sequence[Viewing], minimum_duration: int) -> Tensor:
    """The viewings of an image as the published script draws them on the screen, float64 in [0, 1].

    Cut to where the image was shown, and min-max scaled. The script's quirks are kept: it drops the last fixation
    (of the viewings' joint line, so that a single one gives an empty map) and those left of or above the screen,
    yet keeps those right of or below it. Points in pixels of the image are first rounded to pixels of the screen.
    """
    points = np.concatenate([_on_screen(viewing, viewing.lasting(minimum_duration)) for viewing in viewings])[:-1]
    points = points[(points[:, 0] >= 0) & (points[:, 1] >= 0)]
    width, height, left, top = viewings[0].place or _fitted(viewings[0])
    columns = _bumps(np.arange(left, left + width), points[:, 0], 1.0)
    rows = _bumps(np.arange(top, top + height), points[:, 1], 1.0)
    return min_max(torch.from_numpy((rows * points[:, 2:3]).T @ columns)[None])[0]


def _on_screen(viewing: Viewing, points: np.ndarray) -> np.ndarray:
    if viewing.place:
        return points
    _, _, left, top = _fitted(viewing)
    scale = _scale(viewing)
    x, y = (left + np.round(scale * points[:, 0]), top + np.round(scale * points[:, 1]))
    return np.stack([x, y, points[:, 2]], 1)


def _fitted(viewing: Viewing) -> tuple[int, int, int, int]:
    scale = _scale(viewing)
    width, height = round(viewing.width * scale), round(viewing.height * scale)
    return width, height, (SCREEN_WIDTH - width) // 2, (SCREEN_HEIGHT - height) // 2


def _scale(viewing: Viewing) -> float:
    return min(SCREEN_WIDTH / viewing.width, SCREEN_HEIGHT / viewing.height)


def _read(path: Path, number: int) -> Iterator[Viewing]:
    lines_of: dict[int, int] = {}
    for line_number, line in enumerate(text_lines(path), 1):
        if not line.strip():
            continue
        try:
            fields = np.array(line.split(","), dtype=np.int64)
        except (ValueError, OverflowError) as error:
            raise HeatmarkError(f"{path} line {line_number}: {error}; expected whole numbers and commas") from error
        if (np.abs(fields) > LARGEST_NUMBER).any() or (fields < -LARGEST_NUMBER).any():
            raise HeatmarkError(f"{path} line {line_number}: expected numbers up to {LARGEST_NUMBER}, in pixels and ms")
        if len(fields) >= 3 and not ((fields[1:3] > 0) & (fields[1:3] <= LARGEST_SIDE)).all():
            raise HeatmarkError(
                f"{path} line {line_number}: an image of {fields[1]}x{fields[2]} pixels; expected 1 to {LARGEST_SIDE}"
            )
        if len(fields) >= 3 and len(fields) % 3 == 0:
            image, width, height = fields[:3].tolist()
            yield Viewing(image, number, height, width, fields[3:].reshape(-1, 3))
        elif len(fields) >= 7 and len(fields) % 3 == 1:
            image, width, height, shown_width, shown_height, left, top = fields[:7].tolist()
            if not (0 < shown_width <= LARGEST_SIDE and 0 < shown_height <= LARGEST_SIDE):
                shown = f"{shown_width}x{shown_height} pixels on the screen"
                raise HeatmarkError(f"{path} line {line_number}: {shown}; expected 1 to {LARGEST_SIDE}")
            lines_of[image] = lines_of.get(image, 0) + 1
            place = (shown_width, shown_height, left, top)
            yield Viewing(image, lines_of[image], height, width, fields[7:].reshape(-1, 3), place)
        else:
            raise HeatmarkError(
                f"{path} line {line_number} has {len(fields)} fields; expected 3, or 7 with the place on the screen, "
                "and three for each fixation"
            )
