"""Passes through a network for each image, as methods and metrics declare them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import torch
from torch import Tensor

from bench.api import Attribution, Cost, ImageMetric, ImageRandom, Network, NetworkMetric, PerturbationMetric, Request
from bench.engine.perturbation_curves import end_passes
from bench.runner.explain import attempt
from bench.scoring.passes import passes_of

NOTHING = Cost(0, 0)


@dataclass(frozen=True, eq=False)
class Costs:
    """What is declared for one network at its input size; counted once where a method declares nothing."""

    network: Network
    device: torch.device
    _known: dict[Attribution, Cost] = field(default_factory=dict)

    @cached_property
    def request(self) -> Request:
        """A request for one blank image."""
        return Request(self._blank(1), torch.zeros(1, dtype=torch.long, device=self.device), ImageRandom(0, "", ("",)))

    def explanation(self, method: Attribution) -> Cost:
        """One explanation by a method; nothing where it cannot explain this network."""
        if method not in self._known:
            self._known[method] = self._explanation(method)
        return self._known[method]

    def _explanation(self, method: Attribution) -> Cost:
        declared = attempt(partial(method.cost, self.network, self.request))
        if isinstance(declared, str):
            return NOTHING
        if declared is not None:
            return declared
        counted = passes_of(self.network, partial(attempt, partial(method.explain, self.network, self.request)))
        return Cost(*counted)

    def score(self, metric: ImageMetric | NetworkMetric, method: Attribution) -> Cost:
        """A score beside the explanation that is scored; what compares networks takes what is explained already."""
        return self._score(metric, self.explanation(method))

    def repeats(self, metric: ImageMetric | NetworkMetric) -> int:
        """How many more explanations a score takes."""
        return self._score(metric, Cost(1, 0)).forward - self._score(metric, NOTHING).forward

    def ends(self, metrics: Sequence[ImageMetric | NetworkMetric], images: int) -> int:
        """Images that are predicted for all curves of a batch of some images together."""
        plans = [
            metric.plan(*metric.ranked_size(self.request.images))
            for metric in metrics
            if isinstance(metric, PerturbationMetric)
        ]
        return end_passes(plans, self._blank(images)) if plans else 0

    def _score(self, metric: ImageMetric | NetworkMetric, explanation: Cost) -> Cost:
        if isinstance(metric, NetworkMetric):
            return NOTHING
        return metric.cost(self.network, self.request, explanation)

    def _blank(self, images: int) -> Tensor:
        height, width = self.network.preprocess.size
        return torch.zeros(images, len(self.network.preprocess.mean), height, width, device=self.device)


def adaptive(metric: ImageMetric | NetworkMetric, tolerance: float) -> ImageMetric | None:
    """The metric with only as many points of its curve as this tolerance needs; None where it has no such setting."""
    if not isinstance(metric, PerturbationMetric) or metric.settings.get("tolerance", 0) is not None:
        return None
    changed: ImageMetric = replace(metric, tolerance=tolerance)  # type: ignore[call-arg]
    return changed
