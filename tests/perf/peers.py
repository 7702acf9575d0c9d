"""Insertion and deletion as other libraries compute them, on maps that are given."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Explained
from bench.engine.substrates import rise_blur
from tests.perf.contestants import Contestant

STEP = 224
# Quantus flips single values, and as many a step as divide the pixels.
VALUES = 896
# As fast as any other on a CPU for a network in the contiguous layout.
BATCH = 4
Scores = dict[str, np.ndarray]


def per_step_loop(module: nn.Module, explained: Explained) -> Scores:
    """The RISE protocol as it is written down: all images together, one step after the other."""
    return {
        "deletion": _loop(module, explained, explained.images, torch.zeros_like(explained.images)),
        "insertion": _loop(module, explained, rise_blur(explained.images), explained.images),
    }


@torch.no_grad()
def _loop(module: nn.Module, explained: Explained, start: Tensor, end: Tensor) -> np.ndarray:
    order = explained.heatmaps.flatten(1).argsort(dim=1, stable=True).flip(1)
    shown, rows = start.contiguous().clone(), torch.arange(len(start))
    changing, target = shown.flatten(2), end.contiguous().flatten(2)
    curve = []
    for at in range(0, order.shape[1] + STEP, STEP):
        curve.append(module(shown).softmax(1)[rows, explained.targets].numpy())
        pixels = order[:, None, at : at + STEP].expand(-1, shown.shape[1], -1)
        changing.scatter_(2, pixels, target.gather(2, pixels))
    return np.trapezoid(np.stack(curve), dx=1 / (len(curve) - 1), axis=0)


class _Extractor:
    """What torch-cam's evaluator asks for its maps."""

    def __init__(self, module: nn.Module, maps: Tensor) -> None:
        self.model, self.maps = module, maps

    def __call__(self, class_idx: object = None, scores: object = None) -> list[Tensor]:
        return [self.maps]

    def fuse_cams(self, cams: list[Tensor]) -> Tensor:
        return cams[0]

    @contextmanager
    def _hooks_off(self) -> Iterator[None]:
        yield


def torch_cam(module: nn.Module, explained: Explained) -> Scores:
    """torch-cam's evaluator; it inserts into zeros, so that only its deletion is the protocol's."""
    from torchcam.metrics import DeletionInsertionMetric

    scores = []
    for row, target in enumerate(explained.targets.tolist()):
        metric = DeletionInsertionMetric(
            _Extractor(module, explained.heatmaps[row][None]),
            lambda logits: logits.softmax(1),
            steps=explained.heatmaps[0].numel() // STEP,
            batch_size=BATCH,
        )
        metric.update(explained.images[row][None].contiguous(), target)
        scores.append(metric.summary()["deletion_auc"])
    return {"deletion": np.array(scores)}


def quantus(module: nn.Module, explained: Explained) -> Scores:
    """Quantus' pixel flipping: deletion only, of single values, so that its scores are its own."""
    from quantus import PixelFlipping

    metric = PixelFlipping(features_in_step=VALUES, normalise=False, disable_warnings=True)
    metric(
        model=module,
        x_batch=explained.images.contiguous().numpy(),
        y_batch=explained.targets.numpy(),
        a_batch=explained.heatmaps[:, None].numpy(),
        device="cpu",
        batch_size=BATCH,
    )
    return {}


def peers(module: nn.Module, explained: Explained, scores: dict[str, Scores]) -> list[Contestant]:
    """Each other way, on a network in the layout that its users have; `scores` is filled when they run."""
    count, pixels = len(explained.images), explained.heatmaps[0].numel()
    points = pixels // STEP + 1
    of_all_values = -(-pixels * explained.images.shape[1] // VALUES)

    def run(name: str) -> None:
        scores[name] = _PEERS[name](module, explained)

    return [
        Contestant("per-step loop", lambda: run("per-step loop"), 2 * count * points, f"torch {torch.__version__}"),
        Contestant("torch-cam", lambda: run("torch-cam"), 2 * count * (points - 1), version("torchcam")),
        Contestant("Quantus", lambda: run("Quantus"), count * of_all_values, version("quantus")),
    ]


_PEERS = {"per-step loop": per_step_loop, "torch-cam": torch_cam, "Quantus": quantus}
