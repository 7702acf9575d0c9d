"""What it costs to explain: images that go through the network and back."""

from collections.abc import Callable

from torch import Tensor, nn

from bench.api import Explained, Network


def passes(explained: Explained) -> tuple[float, float]:
    """Forward and backward passes per image that explaining the batch once more takes, the same in any company.

    What the method declares to do once for all images of a chunk is not counted.
    """
    network, request = explained.network, explained.request
    forward, backward = passes_of(network, lambda: explained.attribute_again(explained.images))
    forward -= explained.method.shared_passes * request.parts(network.chunk)
    return forward / len(request), backward / len(request)


def passes_of(network: Network, work: Callable[[], object]) -> tuple[int, int]:
    """Images that go forward through the network and gradients that come back while some work is done."""
    counts = {"forward": 0, "backward": 0}

    def count_forward(_: nn.Module, images: tuple[Tensor, ...], outputs: Tensor) -> None:
        shown = len(images[0])

        def count_backward(_: Tensor) -> None:
            counts["backward"] += shown

        counts["forward"] += shown
        if outputs.requires_grad:
            outputs.register_hook(count_backward)

    handle = network.module.register_forward_hook(count_forward)
    try:
        work()
    finally:
        handle.remove()
    return counts["forward"], counts["backward"]
