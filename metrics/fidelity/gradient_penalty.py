"""What gradient-regularised training penalises, measured (google-research, optimizing interpretability)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.api.module_state import frozen_for_evaluation
from bench.functional.gradient_penalties import Regulariser, datagrad, map_penalty, spectreg


@dataclass(frozen=True)
class GradientPenalty(Metric):
    """The quantity that a gradient-regularised recipe adds to its loss, of the signed attributions.

    With the simple gradient of the true class these are the training's own numbers, in evaluation mode. datagrad and
    spectreg are no functions of a map: they are measured on the network, whatever the attribution.
    """

    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Is the map as smooth, small or like its image as a regularised training asks for?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, float("inf"))
    blind_spot: ClassVar[str] = "Everything about the object: a network without gradients has the least of most."
    reference: ClassVar[str] = "google-research, optimizing_interpretability"
    regulariser: Regulariser = "l2"

    def score(self, explained: Explained) -> Scored:
        """One penalty per image."""
        images = explained.images.detach()
        match self.regulariser:
            case "datagrad" | "spectreg":
                return Scored(torch.cat([self._of_network(part).double() for part in explained.split()]))
            case _:
                maps = explained.attributions.expand_as(images)
                return Scored(map_penalty(self.regulariser, maps, images).double())

    def _of_network(self, explained: Explained) -> torch.Tensor:
        with frozen_for_evaluation(explained.network.module), torch.enable_grad():
            images = explained.images.detach().requires_grad_()
            logits = explained.network.logits(images)
            if self.regulariser == "datagrad":
                return datagrad(logits, explained.targets, images).detach()
            draws = explained.rng.normal(tuple(logits.shape[1:]), logits)
            return spectreg(logits, draws, images).detach()
