"""SIC: softmax information curve (Kapishnikov et al., 2019)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import CLASSIFYING, Cost, Explained, Metric, Network, OutputKind, Request, Scored
from bench.functional.outputs import probabilities_from
from bench.scoring.information_curves import SHARES, information_scores


@dataclass(frozen=True)
class Sic(Metric):
    """Area under the target's probability against the information shown, the highest pixels first.

    The probability is scaled from the blurred image (0) to the whole one (1) and never falls with more pixels; the
    information is the size of the image's file between the same two. Curve (batch, 101).

    Pixels that are equal to the lowest of those that are shown are shown with them. Images whose output is below
    `least`, or that do as well blurred, have no score, as published; the paper's number is the area under the median
    curve of the others. Making the fifteen files takes seconds for an image of 224 pixels.
    """

    least: float = 0.8
    output_kinds: ClassVar[tuple[OutputKind, ...]] = CLASSIFYING
    display: ClassVar[str] = "SIC"
    question: ClassVar[str] = "Does the probability come back with little information, where the map says that it is?"
    blind_spot: ClassVar[str] = (
        "What happens after the best moment: no output counts less than one before. A file's size is only nearly what "
        "there is to see."
    )
    reference: ClassVar[str] = "Kapishnikov et al., 2019, arXiv:1906.02825"

    @property
    def protocol(self) -> str:
        """The authors' published code."""
        return "xrai2019"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each stage, the blurred and the whole image among them."""
        return Cost(len(SHARES) + 2, 0)

    def score(self, explained: Explained) -> Scored:
        """One area per image, or the reason that there is none."""

        def probabilities(logits: Tensor, targets: Tensor) -> Tensor:
            return probabilities_from(logits.double(), explained.network.output).gather(1, targets[:, None])[:, 0]

        return information_scores(explained, self.least, probabilities)
