"""A network that begins by taking a constant off its images."""

from torch import Tensor, nn


class Lowered(nn.Module):
    """A network of images that are raised by `shift`: it lowers them and asks `inner`."""

    def __init__(self, inner: nn.Module, shift: float) -> None:
        super().__init__()
        self.inner, self.shift, self.training = inner, shift, inner.training

    def forward(self, images: Tensor) -> Tensor:
        """What the network says of the images without the shift."""
        lowered: Tensor = self.inner(images - self.shift)
        return lowered
