"""Data sets of Hugging Face: `hf:OWNER/NAME`, `hf:OWNER/NAME@REVISION`, or any that lies in a folder."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from bench.api import Dataset, HeatmarkError
from bench.api.adapter import adapted_class
from bench.data.hub_files import EVERYTHING, hub_folder
from bench.data.library_dataset import LibraryDataset, Opened, pixels_hash
from bench.errors import nearest
from bench.functional.truth_maps import box_map

# Splits to train on come first; what is explained, unless told otherwise, comes last.
_ORDER = ("train", "val", "valid", "validation", "dev", "test")


@dataclass(frozen=True)
class HuggingFaceDataset(LibraryDataset):
    """A data set as Hugging Face's `datasets` reads it.

    `root`: a folder that `save_to_disk` has written, or that holds its files; unless set, the hub's cache. `config` is
    the one of several that it has. `image_column` and `label_column` are the first that hold such, unless named.
    `truth_column`: masks, which are truth where they are not black, or lists of boxes in pixels, as x, y, width and
    height or as two corners (`boxes`); `objects.bbox` is the part `bbox` of a column `objects`.
    """

    config: str = ""
    image_column: str = ""
    label_column: str = ""
    truth_column: str = ""
    boxes: Literal["xywh", "xyxy"] = "xywh"

    @property
    def splits(self) -> tuple[str, ...]:  # type: ignore[override] # only the files say which there are
        """The splits that there are."""
        return tuple(_loaded(self))

    def opened(self, split: str) -> Opened:
        """A split by its columns."""
        tables = _loaded(self)
        table = tables[split]
        image = _column(self, table, "image_column", ("Image",))
        label = _column(self, table, "label_column", ("ClassLabel",))
        classes = _classes(tables.values(), label)
        numbers = {name: number for number, name in enumerate(classes)}
        truth = _truth(self, table, image) if self.truth_column else None
        return Opened(
            tuple(f"{split}/{position:06d}" for position in range(len(table))),
            tuple(numbers[name] for name in _names(table, label)),
            classes,
            lambda position: table[position][image],
            lambda: _contents(table, image, truth),
            truth,
        )


def _truth(own: HuggingFaceDataset, table: Any, image: str) -> Callable[[int], Tensor]:
    """The truth map by position; HeatmarkError where there is no such column."""
    column, *inside = own.truth_column.split(".")
    if column not in table.column_names:
        raise HeatmarkError(f"{own.name}: truth_column: no column {column!r}; {nearest(column, table.column_names)}")

    def truth(position: int) -> Tensor:
        row = table[position]
        found = row[column]
        for key in inside:
            found = found[key]
        width, height = row[image].size
        if isinstance(found, list | np.ndarray):
            boxes = torch.as_tensor(np.asarray(found, dtype=float).reshape(-1, 4))
            if own.boxes == "xywh":
                boxes = torch.cat([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)
            return box_map(boxes, height, width)
        values = np.asarray(found.convert("RGB"))
        return torch.from_numpy(values.max(2) > 0).float()

    return truth


def _column(own: HuggingFaceDataset, table: Any, setting: str, kinds: Sequence[str]) -> str:
    """The column that a setting names, or the first of these kinds."""
    named, columns = getattr(own, setting), table.column_names
    if named:
        if named not in columns:
            raise HeatmarkError(f"{own.name}: {setting}: no column {named!r}; {nearest(named, columns)}")
        return str(named)
    found = [name for name, feature in table.features.items() if type(feature).__name__ in kinds]
    if not found:
        raise HeatmarkError(f"{own.name}: set `{setting}`; the columns are {', '.join(columns)}")
    return str(found[0])


def _names(table: Any, label: str) -> list[str]:
    """The class of every image; no image is read."""
    feature, values = table.features[label], table.select_columns([label])[label]
    names = getattr(feature, "names", None)
    return [str(value) if names is None else names[value] for value in values]


def _classes(tables: Any, label: str) -> tuple[str, ...]:
    """The names that the column has, else the values that are there, numbers in their order."""
    first, *others = tables
    names = getattr(first.features[label], "names", None)
    if names is not None:
        return tuple(names)
    values = {value for table in (first, *others) for value in _names(table, label)}
    return tuple(sorted(values, key=lambda value: (0, int(value), "") if value.isdigit() else (1, 0, value)))


def _contents(table: Any, image: str, truth: Callable[[int], Tensor] | None) -> Iterator[str]:
    """A hash of each image's file, and of its truth map."""
    files = table.select_columns([image]).cast_column(image, _library("").Image(decode=False))
    for position, row in enumerate(files):
        file = row[image]
        content = file["bytes"] if file["bytes"] is not None else Path(file["path"]).read_bytes()
        own = hashlib.sha256(content).hexdigest()
        yield own if truth is None else own + pixels_hash(truth(position))


@lru_cache(maxsize=8)
def _loaded(own: HuggingFaceDataset) -> dict[str, Any]:
    """The splits as the library reads them, from files that are here."""
    library = _library(own.name)
    repository, _, revision = own.name.partition(":")[2].partition("@")
    folder = Path(own.root).expanduser()
    if not own.root:
        folder = hub_folder(repository, [EVERYTHING], revision or None, own.name, download=own.download, kind="dataset")
    elif not folder.is_dir():
        raise HeatmarkError(f"{own.name}: no folder {folder}; expected it to hold the data set")
    saved = (folder / "dataset_dict.json").is_file() or (folder / "state.json").is_file()
    try:
        found = library.load_from_disk(str(folder)) if saved else library.load_dataset(str(folder), own.config or None)
    except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
        raise HeatmarkError(f"{own.name}: {folder}: {' '.join(str(error).split())[:200]}") from error
    splits = dict(found) if isinstance(found, dict) else {"all": found}
    order = [*(name for name in _ORDER if name in splits), *(name for name in splits if name not in _ORDER)]
    return {name: splits[name] for name in order}


def _library(name: str) -> Any:
    # By its name, since a type checker would take the folder of plug-ins for it, which has the same.
    library = import_module("datasets")
    if not hasattr(library, "load_dataset"):
        raise HeatmarkError(f'{name} needs datasets: pip install "heatmark[hf]"')
    return library


def names() -> tuple[str, ...]:
    """None by name: whatever the hub or a folder holds."""
    return ()


@cache
def plugin(name: str) -> type[Dataset]:
    """The plug-in class of a data set of Hugging Face; HeatmarkError where the library is absent."""
    library = _library(f"hf:{name}")
    made = adapted_class(HuggingFaceDataset, "datasets", library.load_dataset, {}, name)
    made.reference = f"https://huggingface.co/datasets/{name.partition('@')[0]}"
    return made
