"""FunnyBirds: drawn birds of five parts, with images in which parts are gone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from bench.api import HeatmarkError
from bench.api.dataset import Without
from bench.data.folders import FolderDataset, Listing, read_json
from bench.data.transforms import check_size, read_image

# Each part's colours in the part maps; pairs of eyes, feet and wings have two that differ by one.
PARTS = {
    "beak": ((255, 255, 0),),
    "eye": ((255, 255, 253), (255, 255, 254)),
    "foot": ((255, 0, 1), (255, 0, 2)),
    "tail": ((0, 0, 255),),
    "wing": ((0, 255, 1), (0, 255, 2)),
}
LEVELS = {part: (number + 1) / len(PARTS) for number, part in enumerate(PARTS)}


@dataclass(frozen=True)
class FunnyBirds(FolderDataset):
    """FunnyBirds: fifty classes of drawn birds of five parts, with images in which parts are gone.

    `root` is the folder of the authors' archive. Classes are numbers, and classes.json says by which kind of each part
    they are told. The truth map has a level for each part, .2 beak, .4 eyes, .6 feet, .8 tail, 1 wings; what is behind
    the bird, and its body, are the rest. In split `test` any parts can be gone (test_interventions), so that
    `part_correctness`, `part_completeness` and `part_contrastivity` remove them exactly. Take images of 256 pixels as
    they are: levels of a resized map are none of parts. A level names a part and says nothing of what it does for the
    class: the control `oracle` is none here.
    """

    truth: Literal["parts", "none"] = "parts"

    display: ClassVar[str] = "FunnyBirds"
    reference: ClassVar[str] = "Hesse, Schaub-Meyer and Roth, 2023, arXiv:2308.06248"
    splits: ClassVar[tuple[str, ...]] = ("train", "test")
    made: ClassVar[bool] = True
    layout: ClassVar[str] = "classes.json, dataset_test.json, test/<class>/*.png and test_part_map/<class>/*.png"

    @property
    def classes(self) -> tuple[str, ...]:
        """The numbers of the classes."""
        return tuple(f"bird {label}" for label in range(len(self.kinds)))

    @cached_property
    def kinds(self) -> tuple[dict[str, int], ...]:
        """For each class which kind of each part its birds have, as classes.json says."""
        path, found = self.folder / "classes.json", []
        for label, own in enumerate(_rows(path, ("class_idx", "parts"))):
            parts = own["parts"]
            if own["class_idx"] != label or not isinstance(parts, dict) or set(parts) != set(PARTS):
                raise HeatmarkError(f"{path}: entry {label} is not class {label} with the parts {', '.join(PARTS)}")
            found.append({part: int(parts[part]) for part in PARTS})
        return tuple(found)

    def sufficient_parts(self, label: int) -> list[frozenset[str]]:
        """The smallest sets of parts, each of which tells a class from all others."""
        own, others = self.kinds[label], [kinds for number, kinds in enumerate(self.kinds) if number != label]
        found: list[frozenset[str]] = []
        for size in range(1, len(PARTS) + 1):
            for parts in map(frozenset, combinations(PARTS, size)):
                tells = all(any(own[part] != other[part] for part in parts) for other in others)
                if tells and not any(smaller < parts for smaller in found):
                    found.append(parts)
        return found

    def listing(self, split: str) -> Listing:
        """The images of a split in the order of its list, by which they are numbered."""
        path = self.folder / f"dataset_{split}.json"
        rows = _rows(path, ("class_idx",)) if path.is_file() else []
        for number, own in enumerate(rows):
            if own["class_idx"] not in range(len(self.kinds)):
                known = f"expected 0 to {len(self.kinds) - 1}, as in classes.json"
                raise HeatmarkError(f"{path}: image {number} is of class {own['class_idx']!r}; {known}")
        return Listing.of(
            (f"{split}/{own['class_idx']}/{number:06d}.png", own["class_idx"]) for number, own in enumerate(rows)
        )

    def truth_of(self, image_id: str, image: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """The level of the part at each pixel."""
        if self.truth == "none":
            return None, None
        path = self._map_file(image_id)
        colours = (read_image(path) * 255).round().int()
        check_size(str(path), colours.shape[1:], image.shape[1:])
        truth = torch.zeros(image.shape[1:])
        for part, own in PARTS.items():
            for colour in own:
                truth[(colours == torch.tensor(colour)[:, None, None]).all(0)] = LEVELS[part]
        return truth, None

    def without_of(self, image_id: str) -> Without | None:
        """Images of the split `test` with any parts gone."""
        if self.truth == "none" or not image_id.startswith("test/"):
            return None
        return partial(self.without, image_id)

    def without(self, image_id: str, levels: tuple[float, ...]) -> Tensor:
        """The image without the parts of these levels of the truth map; HeatmarkError where there is no such image."""
        gone = {part for part, level in LEVELS.items() if any(abs(level - own) < 0.01 for own in levels)}
        path = self._folder_without(image_id) / f"body_{'_'.join(part for part in PARTS if part not in gone)}.png"
        image = read_image(path)
        check_size(str(path), image.shape[1:], read_image(self.folder / image_id).shape[1:])
        return image

    def truth_files(self) -> Iterable[Path]:
        """The lists, the part maps, and the images with parts gone."""
        yield from (path for split in self.splits if (path := self.folder / f"dataset_{split}.json").is_file())
        yield self.folder / "classes.json"
        for split in self.splits if self.truth == "parts" else ():
            for image_id in self._listed(split).ids:
                yield self._map_file(image_id)
                if split == "test":
                    yield from sorted(self._folder_without(image_id).glob("*.png"))

    def _map_file(self, image_id: str) -> Path:
        split, label, name = image_id.split("/")
        return self.folder / f"{split}_part_map" / label / name

    def _folder_without(self, image_id: str) -> Path:
        split, label, name = image_id.split("/")
        return self.folder / f"{split}_interventions" / label / Path(name).stem


def _rows(path: Path, keys: Iterable[str]) -> list[Mapping[str, Any]]:
    """A JSON list of objects that have these keys."""
    if not path.is_file():
        raise HeatmarkError(f"no file {path}; expected the folder of FunnyBirds' archive")
    rows: list[Mapping[str, Any]] = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(own, dict) for own in rows):
        raise HeatmarkError(f"{path} is no list of objects")
    for number, own in enumerate(rows):
        for key in keys:
            if key not in own:
                raise HeatmarkError(f"{path}: entry {number} has no {key!r}")
    return rows
