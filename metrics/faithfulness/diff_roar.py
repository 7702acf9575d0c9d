"""DiffROAR (Shah et al., 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from bench.api import CLASSIFYING, Compared, NetworkMetric, OutputKind, Removal, Scored
from bench.engine import logits_in_chunks
from bench.functional.outputs import rightness


@dataclass(frozen=True)
class DiffRoar(NetworkMetric):
    """How much more a network learns from the highest pixels of every image than another from the lowest.

    Curve (batch, shares): whether the one that was trained and is asked with only the highest `shares` of the pixels
    is right about the image, minus the same with only the lowest; score: its mean over the shares. All other pixels
    have the mean colour. Two networks are trained for each share, plainly, at the length of the suite's training.
    """

    shares: tuple[float, ...] = (0.1, 0.5)
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "DiffROAR"
    unit: ClassVar[str] = "accuracy"
    question: ClassVar[str] = "Do the pixels that the map calls important tell the class better than the others?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = (
        "Evidence that is everywhere, which both networks find; and what is told by the shape of what is kept."
    )
    reference: ClassVar[str] = "Shah et al., 2021, arXiv:2102.12781"
    chance: ClassVar[float | None] = 0.0

    def score_networks(self, compared: Compared) -> Scored:
        """The difference at each share, and the mean."""
        curve = []
        for share in self.shares:
            highest = self._right(compared, Removal(1 - share, "lowest"))
            curve.append(highest - self._right(compared, Removal(1 - share, "highest")))
        return Scored(torch.stack(curve, 1).mean(1), torch.stack(curve, 1))

    def _right(self, compared: Compared, removal: Removal) -> Tensor:
        shown = removal.shown(compared.explained[0])
        found = logits_in_chunks(compared.retrainer.without(removal), shown)
        return rightness(found, compared.outputs)
