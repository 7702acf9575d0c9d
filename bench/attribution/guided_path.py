"""The greedy path of Guided IG: from a baseline to an image, least sensitive features first, many images at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

ValuesAndGradients = Callable[[Tensor], tuple[Tensor, Tensor]]
_CLOSE = 1e-9  # the published tolerance on distances, relative and absolute


@dataclass(frozen=True)
class Step:
    """One step: the target outputs (batch,) and the gradients before it, and how far each feature moves."""

    values: Tensor
    gradients: Tensor
    moves: Tensor


@dataclass(frozen=True)
class GuidedPath:
    """The published path (Kapishnikov et al., 2021), each image on its own.

    In each of `steps` steps the `fraction` of the features with the smallest absolute gradients move towards the
    image, again and again with the same gradients, until the L1 distance to it has shrunk in proportion. A
    feature's place is its share of the way, and none may differ from the step's share by more than `max_distance`.

    As published: the threshold is the lower quantile over all features, among them the ones that cannot move,
    whose gradient counts as infinite; ties at the threshold all move; a feature whose baseline is its value cannot
    move. Places are kept in float64 whatever the dtype of the images. Where rounding has left an image past its
    distance, or nothing can move, the step ends (the published code stops or hangs).
    """

    steps: int = 200
    fraction: float = 0.25
    max_distance: float = 0.02

    def walk(self, at: ValuesAndGradients, images: Tensor, baselines: Tensor) -> Iterator[Step]:
        """The steps of all images, side by side; the moves of an image sum to its way from its baseline.

        `at` takes one point for each image and returns target outputs (batch,) and their gradients.
        """
        way = (images.double() - baselines.double()).flatten(1)
        length = way.abs()
        shares = torch.zeros_like(way)
        for step in range(self.steps):
            points = baselines + (way * shares).reshape(images.shape).to(images)
            values, gradients = at(points)
            sensitivity = gradients.double().flatten(1).abs().masked_fill_(length == 0, torch.inf)
            before = shares.clone()
            self._move(shares, length, sensitivity, (step + 1) / self.steps)
            yield Step(values, gradients, (way * (shares - before)).reshape(images.shape).to(images))

    def _move(self, shares: Tensor, length: Tensor, sensitivity: Tensor, done: float) -> None:
        """Move features, (batch, features) each, until every image has gone `done` of its way."""
        upper = min(done + self.max_distance, 1.0)
        shares.clamp_min_(max(done - self.max_distance, 0.0))
        target = length.sum(1) * (1 - done)
        smallest = int(self.fraction * (length.shape[1] - 1)) + 1
        moving = torch.arange(len(shares), device=shares.device)
        while len(moving):
            place, weight, goal = shares[moving], length[moving], target[moving]
            excess = (weight * (1 - place)).sum(1) - goal
            ranked = sensitivity[moving].masked_fill_(place == upper, torch.inf)
            threshold = ranked.kthvalue(smallest, dim=1, keepdim=True).values
            chosen = (ranked <= threshold) & ranked.isfinite()
            room = (weight * (upper - place) * chosen).sum(1)
            short = excess > _CLOSE * torch.maximum(goal, goal + excess).clamp_min(1)
            portion = torch.where(short & (room > 0), excess / room, 0)
            shares[moving] = torch.where(
                chosen & (portion[:, None] > 1), upper, torch.addcmul(place, portion[:, None] * chosen, upper - place)
            )
            moving = moving[portion > 1]
