"""The contract of a metric over several networks, and of who trains them."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Literal, Protocol, final

from torch import Tensor

from bench.api.explanation import OK, Explained, Scored, scored_of, statuses
from bench.api.metric import AnyMetric
from bench.api.network import Network
from bench.functional.heatmaps import ranks


@dataclass(frozen=True)
class Removal:
    """The `share` of the pixels that goes from an image: the highest of its heatmap first, or the lowest."""

    share: float
    first: Literal["highest", "lowest"]

    def of(self, order: Tensor) -> Tensor:
        """Which pixels go, bool, of rank maps (batch, height, width) whose highest pixel is 0."""
        pixels = order[0].numel()
        count = round(self.share * pixels)
        return order < count if self.first == "highest" else order >= pixels - count

    def shown(self, explained: Explained) -> Tensor:
        """The explained images without these pixels: zero in normalised space, the network's mean colour."""
        return explained.images.masked_fill(self.of(order_of(explained))[:, None], 0)


def order_of(explained: Explained) -> Tensor:
    """Rank maps (batch, height, width) of the heatmaps, 0 where highest, ties in an order drawn for each image."""
    heatmaps = explained.heatmaps
    return ranks(heatmaps, explained.rng.of("removal").uniform(heatmaps.shape[1:], heatmaps))


class Retrainer(Protocol):
    """Trains a network over again: same architecture, training and seed, other images.

    Raises UnsupportedError where the network came as weights, without a training.
    """

    def on_half(self, half: int) -> Network:
        """The network that its recipe makes of one half (0 or 1) of the training images."""

    def without(self, removal: Removal) -> Network:
        """A plainly trained network that has only seen images from which the removal's pixels were gone."""


@dataclass(frozen=True)
class Compared:
    """A batch as metrics over several networks see it.

    `explained` by one method on each network of a recipe, one for each seed, all for the first one's targets;
    `outputs` (batch,) what is right; the `retrainer` trains more networks like the first.
    """

    explained: tuple[Explained, ...]
    outputs: Tensor
    retrainer: Retrainer

    def select(self, positions: list[int]) -> "Compared":
        """Some images of the batch."""
        explained = tuple(own.select(positions) for own in self.explained)
        return replace(self, explained=explained, outputs=self.outputs[positions])


@dataclass(frozen=True)
class NetworkMetric(AnyMetric):
    """A metric over several networks: those of a recipe's seeds, and those it has trained to compare with them."""

    @abstractmethod
    def score_networks(self, compared: Compared) -> Scored:
        """One score per image; every map is finite.

        Raises UnsupportedError where there are too few networks, or none can be trained.
        """

    @final
    def measure(self, compared: Compared) -> Scored:
        """One score per image, NaN with a status where a map is not finite."""
        network = compared.explained[0].network
        self.check_takes(network.output, network.name)
        each = [statuses(own, truth=False, fixations=False) for own in compared.explained]
        status = [next((text for text in own if text != OK), OK) for own in zip(*each, strict=True)]
        return scored_of(status, lambda kept: self.score_networks(compared.select(kept)), f"metric {self.name!r}")
