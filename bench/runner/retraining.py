"""Where metrics over several networks get them from: the training of a network over again, on other images."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.api import Attribution, Dataset, Network, Recipe, Removal
from bench.api.network_metric import order_of
from bench.data.batches import batches, evenly_spaced, usable
from bench.data.derived import Half, Holes, Ranked
from bench.errors import HeatmarkError, UnsupportedError
from bench.files import key_of
from bench.runner.explain import Explainer
from bench.runner.identity import identity
from bench.scoring.measure import explained_by


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
class SuiteRetrainer:
    """Trains a network of a suite over again, as `bench.api.Retrainer` says. Every network is kept."""

    dataset: Dataset
    again: Callable[[Dataset, Recipe | None], Network]
    holes: Callable[[Removal], Dataset]

    def on_half(self, half: int) -> Network:
        """The network that its recipe makes of one half (0 or 1) of the training images."""
        return self.again(Half(self.dataset, half), None)

    def without(self, removal: Removal) -> Network:
        """A plainly trained network that has only seen images from which the removal's pixels were gone."""
        return self.again(self.holes(removal), Plain())


def retrainer_of(explainer: Explainer, method: Attribution) -> SuiteRetrainer:
    """The retrainer of a network; what needs its training fails, as unsupported, where it has none."""
    run, trained = explainer.run, explainer.trained
    ranked = cache(partial(_ranked, explainer, method))
    source = key_of(identity(run, [trained], [], method))

    def again(dataset: Dataset, recipe: Recipe | None) -> Network:
        if trained.train_again is None:
            raise UnsupportedError(f"{trained.network.name} comes as weights, without a training in the suite")
        return trained.train_again(dataset, recipe)

    def holes(removal: Removal) -> Dataset:
        preprocess = trained.network.preprocess
        if preprocess.resize is not None:
            raise UnsupportedError("pixels can be removed for training where preprocess.resize is not set")
        return Holes(run.dataset, preprocess, removal, source, ranked)

    return SuiteRetrainer(run.dataset, again, holes)


def _ranked(explainer: Explainer, method: Attribution, split: str) -> Ranked:
    """Rank maps of the images of a split that training looks at, by the method's heatmaps of the network."""
    run, training, network = explainer.run, explainer.trained.training, explainer.network
    assert training is not None  # noqa: S101 - for the type checker
    known = usable(run.dataset, split, network)
    wanted = training.images if split == "train" else training.validation_images
    positions = [known[i] for i in evenly_spaced(len(known), wanted)]
    name = f"{split} images of {network.name} by {network.recipe}, ranked by {method.label}"
    run.progress.advance(name, 0, len(positions))
    parts = []
    for batch in batches(run.dataset, split, positions, run.table.batch, network, run.device):
        request, clean = explainer.request_for(batch)
        explained = explained_by(method, network, request, clean)
        if not explained.heatmaps.isfinite().all():
            raise HeatmarkError(f"{method.label}: a heatmap of the {split} images is not finite")
        parts.append(order_of(explained).cpu().numpy())
        run.progress.advance(name, len(batch.ids))
    return np.concatenate(parts), {position: row for row, position in enumerate(positions)}
