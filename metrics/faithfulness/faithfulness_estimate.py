"""Faithfulness Estimate (Alvarez-Melis & Jaakkola, 2018)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Cost, Explained, Metric, Network, Request, Scored
from bench.functional.correlation import pearson
from bench.scoring.masked_outputs import clean_outputs, outputs_while_masked
from bench.scoring.regions import group_sums, rank_groups, without_groups


@dataclass(frozen=True)
class FaithfulnessEstimate(Metric):
    """Correlation between the heights of groups of pixels and what the target's logit loses without each alone.

    `groups` equal groups of pixels by rank, put to zero in normalised space one at a time; ties in random order.
    """

    groups: int = 32
    unit: ClassVar[str] = "correlation"
    question: ClassVar[str] = "Is the loss without some pixels in proportion to what the map gives them?"
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    blind_spot: ClassVar[str] = "Evidence that others also give: its loss alone costs nothing. Constant maps score 0."
    reference: ClassVar[str] = "Alvarez-Melis & Jaakkola, 2018, arXiv:1806.07538"

    def cost(self, network: Network, request: Request, explanation: Cost) -> Cost:
        """A prediction for each group."""
        return Cost(min(self.groups, request.images[0, 0].numel()), 0)

    def score(self, explained: Explained) -> Scored:
        """One correlation per image."""
        groups = rank_groups(explained, self.groups)
        shown = without_groups(explained.images, groups)
        falls = clean_outputs(explained, "logit")[:, None] - outputs_while_masked(explained, shown, "logit")
        return Scored(pearson(group_sums(explained.heatmaps, groups), falls))
