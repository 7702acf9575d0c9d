"""Sufficiency (Dasgupta et al., 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.engine import logits_in_chunks
from bench.functional.outputs import predictions
from bench.scoring.neighbourhood import drawn_references
from bench.scoring.regions import pixel_order


@dataclass(frozen=True)
class Sufficiency(Metric):
    """Share of the images with the same highest pixels that are predicted as this image.

    Of all images for which the explanation holds, those that show the highest `share` of the pixels of this image and
    are another one elsewhere: `samples` of the data set's reference images, drawn for each image. The paper takes them
    from the data as they are.
    """

    share: float = 0.3
    samples: int = 20
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    unit: ClassVar[str] = "share of the images"
    question: ClassVar[str] = "Is what the map shows enough for the prediction, whatever else is in the picture?"
    blind_spot: ClassVar[str] = "The order among the pixels shown; pictures pasted together are no data the net knows."
    reference: ClassVar[str] = "Dasgupta et al., 2022, arXiv:2202.00734"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each sample."""
        return Cost(self.samples, 0)

    def score(self, explained: Explained) -> Scored:
        """One share per image."""
        images, others = explained.images, drawn_references(explained, self.samples, self.name)
        order = pixel_order(explained)
        kept = (order < max(1, round(self.share * order[0].numel())))[:, None]
        before, same = predictions(explained.clean), []
        for other in others:
            predicted = predictions(logits_in_chunks(explained.network, torch.where(kept, images, other)))
            same.append((predicted == before).double().where(predicted >= 0, torch.nan))
        return Scored(torch.stack(same).mean(0))
