"""Integrated gradients averaged over other images as baselines."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request, UnsupportedError
from bench.attribution.gradients import target_gradients
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.paths import per_image, sum_over_nodes
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class ExpectedGradients(Attribution):
    """Integrated gradients averaged over reference images as baselines, by chance (GradientSHAP without noise).

    Each of `samples` draws a reference image from the request's pool and a place on the straight line from it;
    the attribution is the mean of gradient times difference. Drawn for each image from its own stream.
    """

    reference: ClassVar[str] = "Erion et al., 2021, arXiv:1906.10670"

    reduction: Reduction = "sum_absolute"
    samples: int = 200
    nonlinearity: NonlinearityRule = "plain"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images, targets, references = request.images, request.targets, request.references
        if references is None or not len(references):
            raise UnsupportedError(f"attribution {self.name!r} needs reference images, and this request has none")
        pool = references.to(images)
        chosen, places = request.rng.uniform((2, self.samples), images.double()).unbind(1)
        chosen = (chosen * len(pool)).long()

        def term(owners: Tensor, node: Tensor) -> Tensor:
            differences = images[owners] - pool[chosen[owners, node]]
            points = images[owners] - per_image(1 - places[owners, node]).to(images) * differences
            return target_gradients(network, points, targets[owners], self.nonlinearity).mul_(differences)

        return sum_over_nodes(term, images, self.samples, network.chunk) / self.samples

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per sample."""
        return Cost(self.samples, self.samples)
