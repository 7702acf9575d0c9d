"""
Your method
===========

A method is one file with one frozen dataclass. ``heatmark new attribution input_times_gradient`` writes this file and
its test, into the checkout or, with ``--package DIR``, into a package of your own.
"""

from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import torch

import bench
from bench.api import Attribution, Network, Request
from bench.checks import trials

# %%
# The method
# ----------
# Fields are settings; the docstring's first line is what boards show. Return signed attributions. Chance comes from
# ``request.rng`` alone.


@dataclass(frozen=True)
class InputTimesGradient(Attribution):
    """Each pixel times the gradient of the target logit."""

    def attribute(self, network: Network, request: Request) -> torch.Tensor:
        """Signed maps (batch, channel, height, width)."""
        images = request.images.requires_grad_()
        (gradients,) = torch.autograd.grad(network.logits_of(images, request.targets).sum(), images)
        return images.detach() * gradients


# %%
# What its kind promises
# ----------------------
# ``heatmark check NAME`` tries the same: that a map does not depend on the batch, that the network is left as it was.
# In pytest it is ``@pytest.mark.heatmark(InputTimesGradient())`` over ``def test_promises(promise): promise()``.

for promise, trial in trials(InputTimesGradient()):
    trial()
    print("kept", promise.replace("_", " "))  # noqa: T201

# %%
# Beside others
# -------------
# On the small network inside the package and planted images, whose truth is known.

network = {
    "architecture": "small_resnet",
    "weights": str(Path(bench.__file__).parent / "trained" / "small_resnet-standard.safetensors"),
}
images = {"name": "planted", "split": "test", "images": 12}
methods = [InputTimesGradient(), "integrated_gradients", "simple_gradient", "random_map", "oracle"]
scores = bench.evaluate(
    network, images, "labels", attributions=methods, metrics=["deletion", "insertion", "relevance_mass"]
)
bench.leaderboard(scores)

# %%
# What it looks like
# ------------------

maps = bench.explain(network, images, "labels", attributions=methods)
figure, axes = plt.subplots(1, len(maps), figsize=(10, 2.3), layout="constrained")
for place, (label, own) in zip(axes, maps.items(), strict=True):
    place.imshow(own[0].abs().sum(0), cmap="magma")
    place.set_title(label, fontsize=8)
    place.set_axis_off()
