"""Total variation of the heatmap."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from bench.api import Explained, Metric, Scored
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class TotalVariation(Metric):
    """Mean absolute difference of neighbouring pixels of the heatmap scaled to [0, 1].

    Over all horizontal and vertical pairs. A constant map: 0. Chance is that of a random map whose lowest and highest
    pixels come near 0 and 1.
    """

    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Is the heatmap smooth?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    blind_spot: ClassVar[str] = "Everything but smoothness; one outlier flattens all the rest of the map."
    reference: ClassVar[str] = "Rudin, Osher & Fatemi, 1992"
    chance: ClassVar[float | None] = 1 / 3

    def score(self, explained: Explained) -> Scored:
        """The mean over the pairs of each image."""
        maps = min_max(explained.heatmaps.double())
        down, across = maps.diff(dim=1).abs().flatten(1), maps.diff(dim=2).abs().flatten(1)
        pairs = max(down.shape[1] + across.shape[1], 1)
        return Scored((down.sum(1) + across.sum(1)) / pairs)
