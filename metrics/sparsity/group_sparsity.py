"""Group sparsity: Gini index of patch norms (after Gong et al., 2024)."""

from dataclasses import dataclass
from typing import ClassVar

from bench.api import Explained, Metric, Scored
from bench.functional.concentration import gini
from bench.functional.patches import patch_norms


@dataclass(frozen=True)
class GroupSparsity(Metric):
    """Gini index of the L2 norms of the attributions' patches.

    `patches` x `patches` of them in each channel (16 as in the group recipe: 14 x 14 pixels at 224), one pixel at
    least; the last ones of a side that they do not divide are filled up with zeros. All-zero attributions are
    scored as constant: 0.
    """

    patches: int = 16
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "Are the attributions concentrated on few patches?"
    blind_spot: ClassVar[str] = "Whether they are the right patches, and everything inside a patch."
    reference: ClassVar[str] = "Gong et al., 2024, arXiv:2404.04647; Hurley & Rickard, 2009, arXiv:0811.4706"

    def score(self, explained: Explained) -> Scored:
        """The index over all patches of all channels."""
        attributions = explained.attributions.double()
        largest = attributions.flatten(1).abs().amax(1)[:, None, None, None]
        norms = patch_norms(attributions / largest.where(largest > 0, 1.0), self.patches)
        return Scored(gini(norms.flatten(1)))
