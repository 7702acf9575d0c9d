"""
Your network, your images
=========================

Any module that takes images (batch, channel, height, width) and returns one number for each class can be judged.
"""

import torch
from torch import nn

import bench

# %%
# The network
# -----------
# Yours goes here. A name does too: ``"resnet50"`` (torchvision), ``"timm:resnet50.a1_in1k"``,
# ``"hf:facebook/deit-tiny-patch16-224"``; a table such as ``{"architecture": "resnet50", "download": True}`` lets the
# library fetch its weights. To keep this page quick, it is a small one that nobody has trained.

torch.manual_seed(0)
model = nn.Sequential(
    nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10)
).eval()

# %%
# The images
# ----------
# Floating point as the model takes them; or 8-bit arrays, PIL images, paths, a ``Dataset`` or ``DataLoader``, a data
# set by name, a folder with a folder of images for each class. ``preprocess=`` says how they are brought to the model.

images = torch.rand(8, 3, 32, 32)

# %%
# Scores
# ------
# One row per image, attribution and metric. ``targets=None`` explains what the network predicts. Controls cost nothing,
# and without them nobody knows what a score is worth.

scores = bench.evaluate(
    model,
    images,
    attributions=["simple_gradient", "integrated_gradients", "grad_cam", "random_map", "edges"],
    metrics=["deletion", "insertion", "gini"],
)
scores.head()

# %%
# A board
# -------
# The same board as a suite's: places, intervals, what can be told apart, and which metrics are to be trusted.

bench.leaderboard(scores)

# %%
# The maps themselves
# -------------------
# Signed attributions by the label of each method, (images, channel or 1, height, width).

maps = bench.explain(model, images, attributions=["grad_cam", "integrated_gradients"])
{label: tuple(own.shape) for label, own in maps.items()}

# %%
# With a truth
# ------------
# Where you know which pixels should matter, give a map in [0, 1] for each image, and ask metrics of agreement.

truth = torch.zeros(8, 32, 32)
truth[:, 8:24, 8:24] = 1
found = bench.evaluate(
    model, images, truth=truth, attributions=["grad_cam", "random_map", "oracle"], metrics=["relevance_mass"]
)
found.groupby("attribution").score.mean()
