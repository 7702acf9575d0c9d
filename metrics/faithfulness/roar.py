"""ROAR: remove and retrain (Hooker et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import CLASSIFYING, Compared, NetworkMetric, OutputKind, Removal, Scored
from bench.engine import logits_in_chunks
from bench.functional.outputs import rightness


@dataclass(frozen=True)
class Roar(NetworkMetric):
    """How often a network is right that was trained and is asked without the highest pixels.

    Curve (batch, shares): 1 where it is right about the image, when the highest `shares` of the pixels of every image,
    in training and here, have the mean colour; score: its mean. A network is trained for each share, plainly, at the
    length of the suite's training.
    """

    shares: tuple[float, ...] = (0.1, 0.3, 0.5, 0.7, 0.9)
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "ROAR"
    unit: ClassVar[str] = "accuracy"
    question: ClassVar[str] = "Is what the class can be learnt from gone with the pixels that the map calls important?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = (
        "What the explained network uses: a new one learns from whatever is left, the shape of the holes included."
    )
    reference: ClassVar[str] = "Hooker et al., 2019, arXiv:1806.10758"

    def score_networks(self, compared: Compared) -> Scored:
        """Right or wrong at each share, and the mean."""
        curve = []
        for share in self.shares:
            removal = Removal(share, "highest")
            shown = removal.shown(compared.explained[0])
            found = logits_in_chunks(compared.retrainer.without(removal), shown)
            curve.append(rightness(found, compared.outputs))
        return Scored(torch.stack(curve, 1).mean(1), torch.stack(curve, 1))
