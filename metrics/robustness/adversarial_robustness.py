"""Adversarial robustness of the map (Ghorbani et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import CLASSIFYING, OK, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.map_similarity import Similarity, similarity, top_set
from bench.scoring.map_attacks import attacked, off_centre, off_the_top


@dataclass(frozen=True)
class AdversarialRobustness(Metric):
    """Similarity of the heatmap to the one after an attack on the image's gradient map that keeps the prediction.

    `attack` top_k: push the gradient off the highest `top` of the heatmap's pixels; mass_centre: push its centre of
    mass away. L-infinity, `radius` and `step` in pixel values of [0, 1]. The attack climbs the network's input
    gradient, so it is white-box for the simple gradient and a transfer attack on every other method. 1 where
    nothing gave way.
    """

    attack: Literal["top_k", "mass_centre"] = "top_k"
    similarity: Similarity = "top_k"
    top: float = 0.1
    radius: float = 8 / 255
    step: float = 1 / 255
    steps: int = 20
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map stay under a change of the image that was made to move it?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "A method far from the gradient is not attacked itself and looks safer than it is."
    reference: ClassVar[str] = "Ghorbani et al., 2019, arXiv:1710.10547"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A gradient and a prediction for each step, the gradient before, and one more explanation."""
        return explanation + Cost(2 * self.steps + 1, self.steps + 1)

    def score(self, explained: Explained) -> Scored:
        """What is left of each heatmap."""
        images, sloped = zip(*map(self._attacked, explained.split()), strict=True)
        moved = torch.cat(images)
        after = explained.explain_again(moved)
        status = tuple(OK if slope else "no gradient to attack" for slope in torch.cat(sloped).tolist())
        left = similarity(explained.heatmaps, after, self.similarity, self.top)
        # The gradient of an image that is no number may be one: ReLUs and max-pools pass it by comparison.
        known = torch.cat(sloped) & moved.flatten(1).isfinite().all(1)
        return Scored(left.where(known, torch.nan), None, status)

    def _attacked(self, explained: Explained) -> tuple[torch.Tensor, torch.Tensor]:
        top = top_set(explained.heatmaps, self.top).to(explained.images.dtype)
        objective = off_the_top(top) if self.attack == "top_k" else off_centre
        return attacked(explained, objective, self.radius, self.step, self.steps)
