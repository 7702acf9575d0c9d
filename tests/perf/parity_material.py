"""What both sides of a comparison are given, and how they are asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench.api import Explained, Network
from bench.api.registry import find
from bench.checks import small_network, small_request
from bench.scoring.measure import explained_by, measure

Pair = tuple[Tensor, np.ndarray | Tensor]
IMAGES, HEIGHT, WIDTH = 12, 24, 16


@dataclass(frozen=True)
class Comparison:
    """What is compared with which library, and how far apart the two may be."""

    what: str
    library: str
    run: Callable[[Explained], Pair]
    tolerance: float = 1e-6


def material() -> Explained:
    """Smooth images, a small random network in single precision, and its gradients."""
    network, request = small_network(), small_request(IMAGES, HEIGHT, WIDTH)
    network = Network(network.module.float(), chunk=8)
    truth = torch.zeros(IMAGES, HEIGHT, WIDTH)
    truth[:, 4:18, 3:13] = 1
    request = replace(request, images=request.images.float(), truth=truth)
    clean = network.logits(request.images).detach()
    request = replace(request, targets=clean.argmax(1))
    return explained_by(find("attributions")["simple_gradient"](), network, request, clean)


def ours(name: str, explained: Explained, **settings: object) -> Tensor:
    """The scores of one of our metrics."""
    (scored,) = measure([(find("metrics")[name](**settings), explained)])
    return scored.score


def called(metric: Callable[..., object], explained: Explained, maps: Tensor, **options: object) -> np.ndarray:
    """What a metric of Quantus says."""
    assert explained.request.truth is not None
    result = metric(
        model=explained.network.module,
        x_batch=explained.images.numpy(),
        y_batch=explained.targets.numpy(),
        a_batch=maps.numpy().copy(),
        s_batch=explained.truth[:, None].numpy(),
        device="cpu",
        channel_first=True,
        **options,
    )
    return np.asarray(result, dtype=float)
