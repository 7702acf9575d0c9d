"""How many images go through a network at once while they are explained and scored."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from bench.api import Attribution, Cost, ImageMetric, ImageRandom, Network, PerturbationMetric, Request

PAIRS = 2  # a method may show each image of a chunk with its reference


def inputs_at_once(
    network: Network, images: Tensor, methods: Sequence[Attribution], metrics: Sequence[ImageMetric] = ()
) -> int:
    """The most images that go through the network at once for a batch like this, by what plug-ins declare to cost."""
    most = PAIRS * network.chunk
    targets = torch.zeros(len(images), dtype=torch.long, device=images.device)
    request = Request(images, targets, ImageRandom(0, "look", tuple(map(str, range(len(images))))))
    others = [metric for metric in metrics if not isinstance(metric, PerturbationMetric)]
    explaining = [_cost(partial(method.cost, network, request)) for method in methods]
    once = max((cost for cost in explaining if cost), key=lambda cost: cost.forward, default=Cost(1, 0))
    scoring = [_cost(partial(metric.cost, network, request, once)) for metric in others]
    each = max((most if cost is None else cost.forward for cost in [*explaining, *scoring]), default=1)
    curves = network.chunk if len(others) < len(metrics) else 1
    return min(most, max(max(1, each) * len(images), curves))


def largest_pass(network: Network, work: Callable[[], object]) -> int:
    """The most images that go through the network at once while some work is done."""
    seen = [0]
    handle = network.module.register_forward_hook(lambda _, images, __: seen.append(len(images[0])))
    try:
        work()
    finally:
        handle.remove()
    return max(seen)


def _cost(declared: Callable[[], Cost | None]) -> Cost | None:
    try:
        return declared()
    except Exception:  # noqa: BLE001 - why, the plug-in will say when it is used
        return None


def repeated(images: Tensor, count: int) -> Tensor:
    """So many images, these over and over."""
    return images[torch.arange(count, device=images.device) % len(images)]
