"""Golden arrays, maps that are given, fixations: what tests of metrics and methods share."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.api import Attribution, Explained, ImageRandom, Network, Request

GOLDEN = Path(__file__).parents[1] / "golden"


def golden(name: str, prefix: str = "") -> dict[str, np.ndarray]:
    """The arrays of tests/golden/NAME.npz whose name begins with `prefix`, the prefix taken off."""
    with np.load(GOLDEN / f"{name}.npz") as arrays:
        return {key.removeprefix(prefix): arrays[key] for key in arrays.files if key.startswith(prefix)}


def as_tensor(array: np.ndarray) -> Tensor:
    """An array as a tensor of its own dtype."""
    return torch.from_numpy(np.ascontiguousarray(array))


class Given(Attribution):
    """Maps that a test supplies, never computed again."""

    def attribute(self, network: Network, request: Request) -> Tensor:
        raise AssertionError("these maps are given, not computed")


def explained_by_maps(
    maps: Tensor,
    truth: Tensor | None = None,
    fixations: Sequence[Tensor] | None = None,
    method: Attribution | None = None,
    network: Network | None = None,
    images: Tensor | None = None,
    pool: Tensor | None = None,
) -> Explained:
    """Heatmaps (batch, height, width) as if a method had made them; the images are blank unless given."""
    images = torch.zeros(len(maps), 3, *maps.shape[1:], dtype=maps.dtype) if images is None else images
    network = network or Network(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    clean = network.logits(images).detach()
    rng = ImageRandom(0, "run", tuple(f"image-{row}" for row in range(len(maps))))
    request = Request(images, clean.argmax(1), rng, truth=truth)
    given = None if fixations is None else tuple(fixations)
    return Explained(network, request, method or Given(), maps[:, None], maps, clean, rng, given, pool)


def points(rows: Sequence[int], columns: Sequence[int]) -> Tensor:
    """Fixations (count, 4) at these pixels."""
    rest = [[0.0] * len(rows)] * 2
    return torch.tensor([columns, rows, *rest], dtype=torch.float64).T
