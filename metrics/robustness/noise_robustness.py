"""Noise robustness: the map before and after noise on the image."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import CLASSIFYING, OK, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.api.network import pixel_scale, to_pixels
from bench.engine import logits_in_chunks
from bench.functional.map_similarity import Similarity, similarity
from bench.functional.noise import normal_noise, uniform_noise
from bench.functional.outputs import predictions


@dataclass(frozen=True)
class NoiseRobustness(Metric):
    """Mean similarity of the heatmap to the heatmaps of noisy copies of the image.

    Curve (batch, levels): the mean over `draws` copies at each level; score: the mean of the curve, 1 when nothing
    changes. `levels` are multiples of the image's range (`normal`, published 0.15) or of its 10th percentile
    (`uniform`, published 1), in pixel space, not clipped. Every method sees the same noise. An image whose
    prediction any copy changes gets no score but a status: another class is another question.
    """

    similarity: Similarity = "spearman"
    noise: Literal["normal", "uniform"] = "normal"
    levels: tuple[float, ...] = (0.05, 0.1, 0.15)
    draws: int = 1
    top: float = 0.1
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map stay when noise that does not change the prediction is added?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether the map depends on the network at all: the centre control never changes."
    reference: ClassVar[str] = "Gong et al., 2024, arXiv:2404.04647; Fel et al., 2022, arXiv:2009.04521"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction and one more explanation for each noisy copy."""
        return (explanation + Cost(1, 0)) * (len(self.levels) * self.draws)

    def score(self, explained: Explained) -> Scored:
        """Similarities, and which predictions noise has changed."""
        unchanged = torch.ones(len(explained.images), dtype=torch.bool, device=explained.images.device)
        curve = []
        for level in self.levels:
            copies = [explained.images + self._noise(explained, level, draw) for draw in range(self.draws)]
            for noisy in copies:
                unchanged &= predictions(logits_in_chunks(explained.network, noisy)) == predictions(explained.clean)
            after = [explained.explain_again(noisy) for noisy in copies]
            alike = [similarity(explained.heatmaps, maps, self.similarity, self.top) for maps in after]
            curve.append(torch.stack(alike).mean(0))
        points = torch.stack(curve, 1)
        status = tuple(OK if same else "prediction changed" for same in unchanged.tolist())
        return Scored(points.mean(1).where(unchanged, torch.nan), points, status)

    def _noise(self, explained: Explained, level: float, draw: int) -> Tensor:
        images, preprocess = explained.images, explained.network.preprocess
        pixels, shape, stream = to_pixels(images, preprocess), images.shape[1:], explained.rng.of("noise")
        if self.noise == "normal":
            noise = normal_noise(pixels, stream.normal(shape, images, draw), level)
        else:
            noise = uniform_noise(pixels, stream.uniform(shape, images, draw), level)
        return noise / pixel_scale(images, preprocess)
