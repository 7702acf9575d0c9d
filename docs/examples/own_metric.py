"""
Your metric
===========

A metric gives every image one score, never a mean. ``heatmark new metric peak --family sparsity`` writes the file and
its test.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import bench
from bench.api import Explained, Metric, Scored
from bench.checks import trials

# %%
# The metric
# ----------
# Boards show its question and its blind spot: what it cannot see. Of maps that are not finite, and of images without
# the truth that it needs, ``score`` is never asked.


@dataclass(frozen=True)
class Peak(Metric):
    """Share of the absolute mass that the highest pixel holds."""

    question: ClassVar[str] = "Does one pixel carry the explanation?"
    blind_spot: ClassVar[str] = "Whether that pixel matters to the network."
    is_property: ClassVar[bool] = True  # what a map is like, not what it is worth: it counts nothing in orders

    def score(self, explained: Explained) -> Scored:
        """One score for each image, in [0, 1]."""
        mass = explained.heatmaps.abs().flatten(1)
        return Scored(mass.amax(1) / mass.sum(1).clamp_min(1e-12))


# %%
# What its kind promises
# ----------------------

kept = []
for promise, trial in trials(Peak()):
    trial()
    kept.append(promise)
len(kept)

# %%
# Who wins under it
# -----------------
# If a control wins, the metric does not see what you mean.

network = {
    "architecture": "small_resnet",
    "weights": str(Path(bench.__file__).parent / "trained" / "small_resnet-standard.safetensors"),
}
images = {"name": "planted", "split": "test", "images": 12}
scores = bench.evaluate(
    network,
    images,
    "labels",
    attributions=["integrated_gradients", "simple_gradient", "random_map", "edges", "oracle"],
    metrics=[Peak()],
)
scores.groupby("attribution").score.mean().sort_values()
