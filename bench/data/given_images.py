"""Images as people have them, a tensor, arrays, pictures, paths, a data set or a loader, as batches for a network.

Floating-point tensors and arrays (batch, channel, height, width) are taken as the network takes them. Everything else,
8-bit arrays (batch, height, width, 3), PIL images, paths, is brought to the network by its `preprocess`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from bench.api import Dataset, Network, Sample
from bench.data.batches import Batch, stacked
from bench.data.transforms import prepare, read_image
from bench.errors import HeatmarkError

EXPECTED = (
    "expected floating point (batch, channel, height, width), 8-bit (batch, height, width, 3), "
    "PIL images, paths, a data set or a DataLoader"
)


_FIELDS = 4  # of a fixation: x, y, duration, viewing
_COLOURS = 3


@dataclass(frozen=True)
class ChosenImages:
    """Some images of a split, by position."""

    dataset: Dataset
    split: str
    positions: Sequence[int]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, position: int) -> Sample:
        """One of them."""
        return self.dataset.sample(self.split, self.positions[position])


@dataclass(frozen=True)
class GivenImages:
    """Images to be explained, and what is known of each: `truth`, `fixations` and `ids` in their order.

    Where they are to be `labelled`, one without a label is refused.
    """

    images: Any
    truth: Sequence[Any] | Tensor | None = None
    fixations: Sequence[Tensor] | None = None
    ids: Sequence[str] | None = None
    labelled: bool = False

    def __post_init__(self) -> None:
        for name, given in (("truth", self.truth), ("fixations", self.fixations), ("image_ids", self.ids)):
            several = hasattr(given, "__len__") and hasattr(given, "__getitem__") and getattr(given, "ndim", 1) != 0
            if given is not None and not several:
                raise HeatmarkError(f"{name}: expected a sequence with one for each image, got {type(given).__name__}")
        for own in () if self.ids is None else self.ids:
            if not isinstance(own, str) or not own.isprintable() or not own.strip():
                raise HeatmarkError(f"image_ids: expected a text in one line for each image, got {own!r}")

    @property
    def count(self) -> int | None:
        """How many there are; None where only the end tells."""
        if isinstance(self.images, Dataset):
            return len(self.images.ids(self.images.splits[-1]))
        if isinstance(self.images, DataLoader):
            return len(self.images.dataset) if hasattr(self.images.dataset, "__len__") else None
        return len(self.images) if hasattr(self.images, "__len__") else None

    @property
    def first(self) -> tuple[bool, Tensor]:
        """Whether the first image is as the network takes it, and (channel, height, width)."""
        for image, _ in _each(self.images):
            return (False, image.image) if isinstance(image, Sample) else _pixels(image, 0)
        raise HeatmarkError(f"images: {EXPECTED}, at least one")

    def batches(self, network: Network, size: int, device: torch.device) -> Iterator[Batch]:
        """The images as the network takes them, `size` at a time, on the device; only one batch is held.

        Raises HeatmarkError where something is no image, or there is not one truth, id, ... for each.
        """
        if self.count is not None:
            self._check(self.count)
        samples = self._samples(network)
        position = 0
        while part := list(islice(samples, size)):
            shapes = {tuple(sample.image.shape) for sample in part}
            if len(shapes) > 1:
                raise HeatmarkError(f"images: expected one shape as the network takes them, got {sorted(shapes)}")
            yield stacked(part, network).to(device)
            position += len(part)
        if not position:
            raise HeatmarkError(f"images: {EXPECTED}, at least one")
        self._check(position)

    def _samples(self, network: Network) -> Iterator[Sample]:
        """Prepared samples with what is known of each."""
        for position, (image, label) in enumerate(_each(self.images)):
            if label is None and self.labelled:
                raise HeatmarkError(
                    f"targets: {f'images[{position}] carries no label' if position else 'these images carry no labels'}"
                    "; give a list of outputs, or None for what the network predicts"
                )
            sample = image if isinstance(image, Sample) else Sample(str(position), torch.empty(0), label or 0)
            sample = replace(
                sample,
                id=_of(self.ids, position, sample.id, "image_ids"),
                truth=_map(_of(self.truth, position, sample.truth, "truth")),
                fixations=_points(_of(self.fixations, position, sample.fixations, "fixations")),
            )
            if isinstance(image, Sample):
                yield prepare(sample, network.preprocess)
                continue
            ready, pixels = _pixels(image, position)
            sample = replace(sample, image=pixels)
            if not ready:
                sample = prepare(sample, network.preprocess)
            elif sample.truth is not None and sample.truth.shape != pixels.shape[1:]:
                expected, got = tuple(pixels.shape[1:]), tuple(sample.truth.shape)
                raise HeatmarkError(f"truth: expected a map of shape {expected} for each image, got {got}")
            yield sample

    def _check(self, count: int) -> None:
        """There is one of everything for each image, of its size where the images are as the network takes them."""
        for name, given in (("truth", self.truth), ("fixations", self.fixations), ("image_ids", self.ids)):
            if given is not None and len(given) != count:
                got = tuple(given.shape) if isinstance(given, Tensor) else len(given)
                raise HeatmarkError(f"{name}: expected {count}, one for each image, got {got}")
        if isinstance(self.truth, Tensor) and self.truth.ndim != 3:
            got = tuple(self.truth.shape)
            raise HeatmarkError(f"truth: expected a tensor of shape ({count}, height, width), got {got}")


def _each(images: Any) -> Iterable[tuple[Any, int | None]]:
    """Every image with its label, None where none is known."""
    if isinstance(images, Dataset):
        split = images.splits[-1]
        images = ChosenImages(images, split, range(len(images.ids(split))))
    if isinstance(images, ChosenImages):
        labelled = images.dataset.labelled
        samples = (images[position] for position in range(len(images)))
        return ((sample, sample.label if labelled else None) for sample in samples)
    if isinstance(images, DataLoader):
        return (pair for batch in images for pair in _rows(batch))
    if isinstance(images, Tensor | np.ndarray):
        if images.ndim not in (3, 4) or (images.ndim == 3 and images.dtype not in (np.uint8, torch.uint8)):
            raise HeatmarkError(f"images: {EXPECTED}; got {images.dtype} {tuple(images.shape)}")
        return ((image, None) for image in images)
    if isinstance(images, str | Path | Image.Image | dict) or not hasattr(images, "__getitem__"):
        raise HeatmarkError(f"images: {EXPECTED}; got {type(images).__name__}")
    return (_pair(images[position]) for position in range(len(images)))


def _rows(batch: Any) -> Iterator[tuple[Any, int | None]]:
    """The images of a loader's batch, with their labels where it has some."""
    images, labels = _parts(batch)
    for row, image in enumerate(images):
        yield image, None if labels is None else int(labels[row])


def _pair(item: Any) -> tuple[Any, int | None]:
    """An item of a data set: an image, or an image with its label."""
    if isinstance(item, Sample):
        return item, item.label
    if isinstance(item, tuple | list | dict):
        image, label = _parts(item)
        return image, None if label is None else int(label)
    return item, None


def _parts(item: Any) -> tuple[Any, Any]:
    """What is image and what is label in an item or a batch of a data set."""
    if isinstance(item, dict):
        image = next((item[key] for key in ("image", "images", "pixel_values", "img") if key in item), None)
        if image is None:
            raise HeatmarkError(f"images: an item has the keys {', '.join(map(str, item))}; expected `image`")
        return image, next((item[key] for key in ("label", "labels", "target") if key in item), None)
    if isinstance(item, tuple | list) and len(item) >= 2:
        return item[0], item[1]
    return (item[0] if isinstance(item, tuple | list) and len(item) == 1 else item), None


def _pixels(image: Any, position: int) -> tuple[bool, Tensor]:
    """Whether an image is as the network takes it, and (channel, height, width): ready, or in [0, 1]."""
    where = f"images[{position}]"
    if isinstance(image, str | Path):
        return False, read_image(Path(image))
    if isinstance(image, Image.Image):
        return False, torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).float() / 255
    if isinstance(image, np.ndarray):
        image = torch.from_numpy(np.ascontiguousarray(image, image.dtype.newbyteorder("=")))
        if image.dtype == torch.uint8 and image.ndim == 3 and image.shape[2] in (1, 3):
            image = image.permute(2, 0, 1)
    if not isinstance(image, Tensor) or image.ndim not in (2, 3) or image.is_complex() or image.layout != torch.strided:
        given = f"{image.dtype} {tuple(image.shape)}" if isinstance(image, Tensor) else type(image).__name__
        raise HeatmarkError(f"{where}: {EXPECTED}; got {given}")
    image = image.detach().as_subclass(Tensor)  # another class may change what operations give
    if image.ndim == 3 and image.shape[2] == _COLOURS and image.shape[0] > _COLOURS:
        raise HeatmarkError(
            f"{where}: {tuple(image.shape)} looks like (height, width, channel); expected (channel, height, width)"
        )
    if image.dtype == torch.uint8:
        levels = image[None] if image.ndim == 2 else image
        return False, levels.expand(3 if len(levels) == 1 else len(levels), -1, -1).float() / 255
    if not image.is_floating_point() or image.ndim != 3 or image.device.type == "meta":
        raise HeatmarkError(f"{where}: {EXPECTED}; got {image.dtype} {tuple(image.shape)} on {image.device.type}")
    return True, image.to(torch.promote_types(image.dtype, torch.float32))


def _of(given: Any, position: int, own: Any, name: str) -> Any:
    if given is None:
        return own
    if position >= len(given):
        raise HeatmarkError(f"{name}: expected one for each image, got {len(given)} for more images")
    return given[position]


def _map(truth: Any) -> Tensor | None:
    if truth is None:
        return None
    try:
        given = truth if isinstance(truth, Tensor) else torch.as_tensor(np.asarray(truth), dtype=torch.float32)
    except (TypeError, ValueError) as error:
        raise HeatmarkError(f"truth: expected a map (height, width) for each image, got {truth!r}") from error
    _check_values(given, "truth")
    known = given[given.isfinite()].float()
    if known.numel() and (known.min() < 0 or known.max() > 1):
        raise HeatmarkError(f"truth: expected maps in [0, 1], got values from {known.min():.4g} to {known.max():.4g}")
    return given if given.is_floating_point() else given.float()


def _points(fixations: Any) -> Tensor | None:
    if fixations is None:
        return None
    if not isinstance(fixations, Tensor) or fixations.ndim != 2 or fixations.shape[1] != _FIELDS:
        given = f"the shape {tuple(fixations.shape)}" if isinstance(fixations, Tensor) else type(fixations).__name__
        raise HeatmarkError(f"fixations: expected a tensor (count, {_FIELDS}) for each image, got {given}")
    _check_values(fixations, "fixations")
    if fixations.dtype == torch.bool or (fixations[:, 2] < 0).any():
        raise HeatmarkError("fixations: expected x, y, duration from 0 ms, viewing")
    return fixations


def _check_values(given: Tensor, what: str) -> None:
    if given.is_complex() or given.layout != torch.strided or given.is_meta:
        kind = f"{given.dtype} {given.layout} on {given.device}"
        raise HeatmarkError(f"{what}: expected plain numbers, got {kind}")


def check_references(references: Any, images: Tensor) -> None:
    """Raises HeatmarkError where references are not as the network takes its images, any number of them."""
    if references is None:
        return
    expected = ", ".join(map(str, images.shape[1:]))
    given = tuple(references.shape) if isinstance(references, Tensor) else type(references).__name__
    if not isinstance(references, Tensor) or references.ndim != 4 or references.shape[1:] != images.shape[1:]:
        raise HeatmarkError(f"references: expected a tensor of shape (any, {expected}), got {given}")
    if not references.is_floating_point() or references.layout != torch.strided or references.device != images.device:
        kind = f"{references.dtype} {references.layout} on {references.device}"
        raise HeatmarkError(f"references: expected floating point on {images.device} as the images are, got {kind}")
    if not references.isfinite().all():
        raise HeatmarkError("references: expected finite numbers, got NaN or infinity")
