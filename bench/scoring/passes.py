"""What it costs to explain: images that go through the network and back."""

from torch import Tensor, nn

from bench.api import Explained


def passes(explained: Explained) -> tuple[float, float]:
    """Forward and backward passes per image that explaining the batch once more takes."""
    counts = {"forward": 0, "backward": 0}

    def count_backward(gradients: Tensor) -> None:
        counts["backward"] += len(gradients)

    def count_forward(_: nn.Module, __: tuple[object, ...], outputs: Tensor) -> None:
        counts["forward"] += len(outputs)
        if outputs.requires_grad:
            outputs.register_hook(count_backward)

    handle = explained.network.module.register_forward_hook(count_forward)
    try:
        explained.attribute_again(explained.images)
    finally:
        handle.remove()
    return counts["forward"] / len(explained.images), counts["backward"] / len(explained.images)
