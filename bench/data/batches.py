"""From a data set to batches that a network can take: chosen, prepared, normalised, on the device."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from bench.api import Dataset, Network, Sample
from bench.api.dataset import Without
from bench.api.shared_state import SharedState, shared_left_alone
from bench.data.transforms import prepare
from bench.errors import HeatmarkError

SHARD = 256
T = TypeVar("T")


@dataclass(frozen=True)
class Batch:
    """Some images of a split as the network sees them.

    `images` (batch, channel, height, width) normalised; `labels` (batch,) of the data set; `outputs` (batch,)
    of the network; `truth` (batch, height, width) or None; `fixations` one (count, 4) tensor each, or None;
    `without` gives each image with parts gone, where the data set has such images.
    """

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    outputs: Tensor
    truth: Tensor | None
    fixations: tuple[Tensor, ...] | None
    without: tuple[Without, ...] | None = None

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device; from pinned memory a GPU fetches the images while it works."""
        pinned = device.type == "cuda" and self.images.device.type == "cpu"
        images = self.images.pin_memory() if pinned else self.images
        return replace(
            self,
            images=images.to(device, non_blocking=True),
            labels=self.labels.to(device),
            outputs=self.outputs.to(device),
            truth=None if self.truth is None else self.truth.to(device),
            fixations=None if self.fixations is None else tuple(part.to(device) for part in self.fixations),
        )

    def first(self, count: int) -> "Batch":
        """The first images of the batch."""
        return Batch(
            self.ids[:count],
            self.images[:count],
            self.labels[:count],
            self.outputs[:count],
            None if self.truth is None else self.truth[:count],
            None if self.fixations is None else self.fixations[:count],
            None if self.without is None else self.without[:count],
        )


def evenly_spaced(count: int, wanted: int | None) -> list[int]:
    """`wanted` of `count` positions, evenly spaced (all of them for None)."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return [int(position) for position in np.linspace(0, count - 1, wanted).round()]


def usable(dataset: Dataset, split: str, network: Network) -> list[int]:
    """The positions whose label has an output of the network."""
    with shared_left_alone(f"data set {dataset.name!r}"):
        given = dataset.labels(split)
    labels = torch.tensor(given, dtype=torch.long)
    positions: list[int] = (network.outputs_of(labels) >= 0).nonzero()[:, 0].tolist()
    if not positions:
        raise HeatmarkError(f"no image of {dataset.name} {split!r} has a label that {network.name} knows")
    return positions


def shards(positions: Sequence[int]) -> list[list[int]]:
    """The chosen positions by the block of the split that they lie in; adding images leaves other blocks alone."""
    blocks: dict[int, list[int]] = {}
    for position in positions:
        blocks.setdefault(position // SHARD, []).append(position)
    return list(blocks.values())


def batches(
    dataset: Dataset, split: str, positions: Sequence[int], size: int, network: Network, device: torch.device
) -> Iterator[Batch]:
    """The images at these positions, `size` at a time; the next batch is loaded while one is worked on.

    HeatmarkError where the data set changes what all share, before the batch after that which was worked on meanwhile.
    """
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    shared = SharedState()
    with ThreadPoolExecutor(1) as loader:
        coming = [loader.submit(_loaded, dataset, split, part, network, device) for part in parts[:1]]
        for part in [*parts[1:], None] if parts else []:
            try:
                batch = coming.pop().result()
            finally:
                shared.check(f"data set {dataset.name!r}")
            if part is not None:
                coming.append(loader.submit(_loaded, dataset, split, part, network, device))
            yield batch


def worked_on(coming: Iterator[Batch], work: Callable[[Batch], T]) -> Iterator[tuple[Batch, T]]:
    """Each batch with what the work makes of it, once the batch after it is there and nothing was changed meanwhile."""
    batch = next(coming, None)
    while batch is not None:
        made = work(batch)
        following = next(coming, None)
        yield batch, made
        batch = following


def load(dataset: Dataset, split: str, positions: Sequence[int], network: Network, device: torch.device) -> Batch:
    """The samples at these positions as one batch; HeatmarkError where the data set changes code that all share."""
    return batch_of((sample_of(dataset, split, position) for position in positions), network, device)


def sample_of(dataset: Dataset, split: str, position: int) -> Sample:
    """One sample; what the data set sets for all is put back. HeatmarkError where it changes code that all share."""
    with shared_left_alone(f"data set {dataset.name!r}"):
        return dataset.sample(split, position)


def _loaded(dataset: Dataset, split: str, positions: Sequence[int], network: Network, device: torch.device) -> Batch:
    return batch_of((dataset.sample(split, position) for position in positions), network, device)


def batch_of(raw: Iterable[Sample], network: Network, device: torch.device) -> Batch:
    """These samples as the network sees them."""
    return stacked([separate(prepare(sample, network.preprocess), sample) for sample in raw], network).to(device)


def separate(ready: Sample, raw: Sample) -> Sample:
    """A prepared sample that shares no memory with what the data set gave, which it may use again for the next."""
    parts = {}
    for name in ("image", "truth", "fixations"):
        own, given = getattr(ready, name), getattr(raw, name)
        if own is not None and given is not None and _storage(own) == _storage(given):
            parts[name] = own.clone()
    return replace(ready, **parts) if parts else ready


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def stacked(samples: Sequence[Sample], network: Network) -> Batch:
    """Samples that are prepared already, as one batch on the CPU."""
    labels = torch.tensor([sample.label for sample in samples], device="cpu")
    truths = [sample.truth for sample in samples if sample.truth is not None]
    points = [sample.fixations for sample in samples if sample.fixations is not None]
    without = [sample.without for sample in samples if sample.without is not None]
    return Batch(
        ids=tuple(sample.id for sample in samples),
        images=torch.stack([sample.image for sample in samples]).contiguous(memory_format=torch.channels_last),
        labels=labels,
        outputs=network.outputs_of(labels),
        truth=torch.stack(truths) if len(truths) == len(samples) else None,
        fixations=tuple(points) if len(points) == len(samples) else None,
        without=tuple(without) if len(without) == len(samples) else None,
    )
