"""Stability across training."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Compared, NetworkMetric, Scored, UnsupportedError
from bench.functional.map_similarity import Similarity, similarity


@dataclass(frozen=True)
class TrainingStability(NetworkMetric):
    """Similarity of the heatmaps of networks that only chance has made different.

    Across `seeds`: of the network of the first seed to each other one of the recipe, the mean; curve
    (batch, seeds - 1). Across `halves`: of two networks of the recipe, each trained on a random half of the training
    images from the same start. The class that the first network predicts, or the label, is explained everywhere.
    """

    across: Literal["seeds", "halves"] = "seeds"
    similarity: Similarity = "spearman"
    top: float = 0.1
    question: ClassVar[str] = "Does training again give the same explanation?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether the map is right; networks that differ may well have different reasons."
    reference: ClassVar[str] = "Fel et al., 2022, arXiv:2009.04521 (consistency of networks on parts of the data)"

    def score_networks(self, compared: Compared) -> Scored:
        """One similarity per image, or for each further seed and the mean."""
        if self.across == "halves":
            explained = compared.explained[0]
            networks = [compared.retrainer.on_half(half) for half in (0, 1)]
            method, request = explained.method, explained.request
            first, second = (method.heatmaps(method.explain(network, request)) for network in networks)
            return Scored(similarity(first, second, self.similarity, self.top))
        first, *others = (explained.heatmaps for explained in compared.explained)
        if not others:
            raise UnsupportedError("training_stability across seeds needs a recipe with at least two seeds")
        curve = torch.stack([similarity(first, maps, self.similarity, self.top) for maps in others], 1)
        return Scored(curve.mean(1), curve)
