"""Integrated gradients whose gradients pass non-linearities only where they are positive."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.guided_rules import NonlinearityRule
from bench.attribution.paths import QuadratureRule, integrated_gradients, quadrature
from bench.functional.heatmaps import Reduction


@dataclass(frozen=True)
class GnlIntegratedGradients(Attribution):
    """Integrated gradients with guided non-linearities (GNL-IG; not Guided IG).

    As integrated gradients with a zero baseline, but behind every ReLU, ReLU6 and max-pooling window only positive
    gradients pass (`bench.attribution.guided_rules`), so that completeness is lost. Where windows overlap, or do not
    divide the map, the published code misplaces which windows pass; `protocol = "published"` keeps that.
    """

    display: ClassVar[str] = "GNL-IG"
    reference: ClassVar[str] = "Kwon, Koo and Cho, ICPR 2020, doi:10.1109/ICPR48806.2021.9412284"

    reduction: Reduction = "sum_absolute"
    nodes: int = 50
    quadrature: QuadratureRule = "gauss_legendre"
    protocol: Literal["exact", "published"] = "exact"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel, height, width)."""
        images = request.images
        nodes = quadrature(self.quadrature, self.nodes)
        rule: NonlinearityRule = "gnl" if self.protocol == "exact" else "gnl_published"
        return integrated_gradients(network, images, request.targets, torch.zeros_like(images), nodes, rule)

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient per node."""
        return Cost(self.nodes, self.nodes)
