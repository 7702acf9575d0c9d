"""From a data set to batches that a network can take: chosen, prepared, normalised, on the device."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Dataset, Network, Sample
from bench.data.transforms import prepare
from bench.errors import HeatmarkError

SHARD = 256


@dataclass(frozen=True)
class Batch:
    """Some images of a split as the network sees them.

    `images` (batch, channel, height, width) normalised; `labels` (batch,) of the data set; `outputs` (batch,)
    of the network; `truth` (batch, height, width) or None; `fixations` one (count, 4) tensor each, or None.
    """

    ids: tuple[str, ...]
    images: Tensor
    labels: Tensor
    outputs: Tensor
    truth: Tensor | None
    fixations: tuple[Tensor, ...] | None

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
        )


def evenly_spaced(count: int, wanted: int | None) -> list[int]:
    """`wanted` of `count` positions, evenly spaced (all of them for None)."""
    if wanted is None or wanted >= count:
        return list(range(count))
    return [int(position) for position in np.linspace(0, count - 1, wanted).round()]


def usable(dataset: Dataset, split: str, network: Network) -> list[int]:
    """The positions whose label has an output of the network."""
    labels = torch.tensor(dataset.labels(split), dtype=torch.long)
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
    """The images at these positions, `size` at a time; the next batch is loaded while one is worked on."""
    parts = [positions[start : start + size] for start in range(0, len(positions), size)]
    with ThreadPoolExecutor(1) as loader:
        coming = [loader.submit(load, dataset, split, part, network, device) for part in parts[:1]]
        for part in [*parts[1:], None] if parts else []:
            batch = coming.pop().result()
            if part is not None:
                coming.append(loader.submit(load, dataset, split, part, network, device))
            yield batch


def load(dataset: Dataset, split: str, positions: Sequence[int], network: Network, device: torch.device) -> Batch:
    """The samples at these positions as one batch."""
    return batch_of([dataset.sample(split, position) for position in positions], network, device)


def batch_of(raw: Sequence[Sample], network: Network, device: torch.device) -> Batch:
    """These samples as the network sees them."""
    return stacked([prepare(sample, network.preprocess) for sample in raw], network).to(device)


def stacked(samples: Sequence[Sample], network: Network) -> Batch:
    """Samples that are prepared already, as one batch on the CPU."""
    labels = torch.tensor([sample.label for sample in samples])
    truths = [sample.truth for sample in samples if sample.truth is not None]
    points = [sample.fixations for sample in samples if sample.fixations is not None]
    return Batch(
        ids=tuple(sample.id for sample in samples),
        images=torch.stack([sample.image for sample in samples]).contiguous(memory_format=torch.channels_last),
        labels=labels,
        outputs=network.outputs_of(labels),
        truth=torch.stack(truths) if len(truths) == len(samples) else None,
        fixations=tuple(points) if len(points) == len(samples) else None,
    )
