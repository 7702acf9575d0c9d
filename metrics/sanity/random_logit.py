"""Random logit (Sixt et al., 2020)."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored, UnsupportedError
from bench.functional.map_similarity import Similarity, similarity


@dataclass(frozen=True)
class RandomLogit(Metric):
    """Similarity of the heatmap to the one that explains another class, drawn at random for each image.

    Every method is asked about the same other class. A map that does not look at the class scores 1.
    """

    similarity: Similarity = "spearman"
    top: float = 0.1
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    question: ClassVar[str] = "Does the map depend on the class that it explains?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Whether the map is right for either class; classes may share their evidence."
    reference: ClassVar[str] = "Sixt et al., 2020, arXiv:1912.09818"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """The explanation of another output."""
        return explanation

    def score(self, explained: Explained) -> Scored:
        """One similarity per image."""
        outputs = explained.clean.shape[1]
        if outputs < 2:
            raise UnsupportedError("random_logit needs a network with at least two outputs")
        further = explained.rng.of("other class").uniform((), explained.clean.double()) * (outputs - 1)
        others = (explained.targets + 1 + further.long()) % outputs
        request = replace(explained.request, targets=others)
        maps = explained.method.heatmaps(explained.method.explain(explained.network, request))
        return Scored(similarity(explained.heatmaps, maps, self.similarity, self.top))
