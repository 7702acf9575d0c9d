"""An image that turns into another one, pixel after pixel."""

import torch
from torch import Tensor

# Images whose pixels are replaced together: the work grows with its square, the overhead of each with its inverse.
TOGETHER = 16


class Replacing:
    """An image (1, channel, height, width) on its way from `start` to `end`.

    `order` holds the flat positions of pixels (all channels together), or of the values of all channels one by one.
    """

    def __init__(self, order: Tensor, start: Tensor, end: Tensor) -> None:
        self.order, self.start, self.end = order, start.flatten(2), end.flatten(2)
        self.shown, self.done = self.start, 0

    def draw(self, counts: list[int], into: Tensor) -> None:
        """Write the image after each of the ascending `counts` of replacements into (counts, channel, height, width).

        Only what changes from the first to the last of them is chosen one by one: everything else is copied.
        """
        images = into.flatten(2)
        images.copy_(self.shown)
        moving = self.order[self.done : counts[-1]]
        before = torch.arange(self.done, counts[-1], device=moving.device)
        replaced = before < torch.tensor(counts, device=moving.device)[:, None]
        pixels = images.shape[2]
        if len(self.order) == pixels:
            images[:, :, moving] = torch.where(replaced[:, None], self.end[:, :, moving], self.start[:, :, moving])
        else:
            channel, pixel = moving // pixels, moving % pixels
            images[:, channel, pixel] = torch.where(
                replaced, self.end[:, channel, pixel], self.start[:, channel, pixel]
            )
        self.shown, self.done = images[-1:].clone(), counts[-1]
