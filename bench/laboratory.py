"""Where metrics over several networks get them from: the training of a network over again, on other images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.altered import Half, Holes, Ranked, Removal, order_of
from bench.api import Attribution, Dataset, Recipe
from bench.cells import Trained, Work, identity
from bench.data import Batch, batches, spread, usable
from bench.engine import clean_logits
from bench.errors import HeatmarkError, UnsupportedError
from bench.handed import Network, Request
from bench.measure import explained_by
from bench.randomness import ImageRandom
from bench.store import key_of


@dataclass(frozen=True)
class Plain(Recipe):
    """Cross-entropy: how networks are trained that only ask what the pixels still tell."""

    def loss(
        self,
        network: Network,
        images: Tensor,
        labels: Tensor,
        truth: Tensor | None,  # noqa: ARG002
        rng: torch.Generator,  # noqa: ARG002
    ) -> Tensor:
        """Mean cross-entropy of the batch."""
        return F.cross_entropy(network.logits(images), labels)


@dataclass(frozen=True)
class Laboratory:
    """Trains a network over again: same architecture, training and seed, other images. Every network is kept."""

    dataset: Dataset
    again: Callable[[Dataset, Recipe | None], Network]
    holes: Callable[[Removal], Dataset]

    def on_half(self, half: int) -> Network:
        """The network that its recipe makes of one half (0 or 1) of the training images."""
        return self.again(Half(self.dataset, half), None)

    def without(self, removal: Removal) -> Network:
        """A plainly trained network that has only seen images from which the removal's pixels were gone."""
        return self.again(self.holes(removal), Plain())


def laboratory(work: Work, trained: Trained, pool: Batch | None, method: Attribution) -> Laboratory:
    """The laboratory of a network; what needs its training fails, as unsupported, where it has none."""
    ranked = cache(partial(_ranked, work, trained, pool, method))
    source = key_of(identity(work, [trained], [], method))

    def again(dataset: Dataset, recipe: Recipe | None) -> Network:
        if trained.school is None:
            raise UnsupportedError(f"{trained.network.name} comes as weights, without a training in the suite")
        return trained.school.again(dataset, recipe)

    def holes(removal: Removal) -> Dataset:
        preprocess = trained.network.preprocess
        if preprocess.resize is not None:
            raise UnsupportedError("pixels can be removed for training where preprocess.resize is not set")
        return Holes(work.dataset, preprocess, removal, source, ranked)

    return Laboratory(work.dataset, again, holes)


def _ranked(work: Work, trained: Trained, pool: Batch | None, method: Attribution, split: str) -> Ranked:
    """Rank maps of the images of a split that training looks at, by the method's heatmaps of the network."""
    assert trained.school is not None
    training, network = trained.school.training, trained.network
    known = usable(work.dataset, split, network)
    wanted = training.images if split == "train" else training.validation_images
    positions = [known[i] for i in spread(len(known), wanted)]
    name = f"{split} images of {network.name} by {network.recipe}, ranked by {method.label}"
    trained.school.progress.advance(name, 0, len(positions))
    parts = []
    for batch in batches(work.dataset, split, positions, work.table.batch, network, work.device):
        clean = clean_logits(network, batch.images)
        targets = clean.argmax(1) if work.table.target == "predicted" else batch.outputs
        rng = ImageRandom(work.table.seed, "run", batch.ids)
        request = Request(batch.images, targets, rng, batch.truth, None if pool is None else pool.images)
        explained = explained_by(method, network, request, clean)
        if not explained.heatmaps.isfinite().all():
            raise HeatmarkError(f"{method.label}: a heatmap of the {split} images is not finite")
        parts.append(order_of(explained).cpu().numpy())
        trained.school.progress.advance(name, len(batch.ids))
    return np.concatenate(parts), {position: row for row, position in enumerate(positions)}
