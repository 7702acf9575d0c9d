"""Networks with something before them: that takes a constant off their images, or shows them cell by cell."""

import torch.nn.functional as F
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


class Separated(nn.Module):
    """All outputs of a network once for each of `rows` x `rows` cells (height, width), which it sees one by one."""

    def __init__(self, inner: nn.Module, rows: int, cell: tuple[int, int], size: int) -> None:
        super().__init__()
        self.inner, self.rows, self.cell, self.size, self.training = inner, rows, cell, size, inner.training

    def forward(self, images: Tensor) -> Tensor:
        """Outputs (batch, cells * outputs) of images (batch, channel, height, width)."""
        height, width = self.cell
        whole = images[:, :, : self.rows * height, : self.rows * width]
        cells = whole.unflatten(2, (self.rows, height)).unflatten(4, (self.rows, width)).permute(0, 2, 4, 1, 3, 5)
        shown = cells.flatten(0, 2)
        if self.size:
            shown = F.interpolate(shown, size=(self.size, self.size), mode="bilinear")
        outputs: Tensor = self.inner(shown)
        return outputs.reshape(len(images), -1)
