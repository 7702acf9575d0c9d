"""Input invariance (Kindermans et al., 2017)."""

from dataclasses import dataclass, replace
from typing import ClassVar

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.map_similarity import Similarity, similarity
from bench.scoring.changed_networks import Lowered


@dataclass(frozen=True)
class InputInvariance(Metric):
    """Similarity of the heatmap to that of the shifted image and a network that takes the shift off again.

    Every value of the normalised image is raised by `shift`, and the network begins by lowering it: the same function
    of the same picture, so that the map should be the same, 1. Methods that multiply by the input or start at zero
    take the shift for evidence.
    """

    shift: float = 1.0
    similarity: Similarity = "spearman"
    top: float = 0.1
    question: ClassVar[str] = "Is the map the same when image and network are shifted by the same constant?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Everything else: a map that looks at nothing is invariant."
    reference: ClassVar[str] = "Kindermans et al., 2017, arXiv:1711.00867"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """One more explanation."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """One similarity per image."""
        module = Lowered(explained.network.module, self.shift)
        network = replace(explained.network, module=module, compiler="none")
        request = explained.request.with_images(explained.images + self.shift)
        references = request.references
        request = replace(request, references=None if references is None else references + self.shift)
        maps = explained.method.heatmaps(explained.method.explain(network, request))
        return Scored(similarity(explained.heatmaps, maps, self.similarity, self.top))
