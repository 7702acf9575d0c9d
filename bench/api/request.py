"""What an attribution method is given (images, targets, random numbers), and what an explanation costs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from torch import Tensor

from bench.api.dataset import Without
from bench.api.randomness import ImageRandom


@dataclass(frozen=True)
class Request:
    """What an attribution explains.

    `images` (batch, channel, height, width) normalised; `targets` (batch,) outputs; `truth`
    (batch, height, width) in [0, 1]; `references` (any, channel, height, width), a fixed pool of other images;
    `without`, one for each image, gives it as the network sees it when parts are gone (`bench.api.Sample`).
    """

    images: Tensor
    targets: Tensor
    rng: ImageRandom
    truth: Tensor | None = None
    references: Tensor | None = None
    without: tuple[Without, ...] | None = None

    def __len__(self) -> int:
        return len(self.images)

    def with_images(self, images: Tensor) -> "Request":
        """The same request for other pixels."""
        return replace(self, images=images)

    def select(self, positions: list[int]) -> "Request":
        """Some images of the batch."""
        return replace(
            self,
            images=self.images[positions],
            targets=self.targets[positions],
            rng=self.rng.select(positions),
            truth=None if self.truth is None else self.truth[positions],
            without=None if self.without is None else tuple(self.without[i] for i in positions),
        )

    def parts(self, chunk: int) -> int:
        """How many parts `split` gives."""
        return math.ceil(len(self) / chunk)

    def split(self, chunk: int) -> Iterator["Request"]:
        """Parts of at most `chunk` images, in order."""
        for positions in self.positions(chunk):
            yield self.select(positions)

    def positions(self, chunk: int) -> Iterator[list[int]]:
        """The positions of at most `chunk` images at a time, in order."""
        for start in range(0, len(self), chunk):
            yield list(range(start, min(start + chunk, len(self))))


@dataclass(frozen=True)
class Cost:
    """Images that go forward through the whole network, and gradients that come back, for one explained image.

    `shared` images go forward once for all that are scored, or explained in one chunk, together.
    """

    forward: int
    backward: int
    shared: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.forward + other.forward, self.backward + other.backward, self.shared + other.shared)

    def __mul__(self, times: int) -> "Cost":
        return Cost(self.forward * times, self.backward * times, self.shared * times)
