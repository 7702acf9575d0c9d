"""An image that turns into another one, pixel after pixel."""

import torch
from torch import Tensor

# Images whose pixels are replaced together: the work grows with its square, the overhead of each with its inverse.
TOGETHER = 8


class Replacing:
    """An image (1, channel, height, width) on its way from `start` to `end`, after each of ascending `counts`.

    `order` holds the flat positions of pixels (all channels together), or of the values of all channels one by one.
    """

    def __init__(self, order: Tensor, start: Tensor, end: Tensor, counts: list[int]) -> None:
        self.shown, moving = start.flatten(2), order[: counts[-1]]
        pixels = self.shown.shape[2]
        self.places = (moving,) if len(order) == pixels else (moving // pixels, moving % pixels)
        self.start, self.end = self._moving_parts(self.shown), self._moving_parts(end.flatten(2))
        self.turn = torch.arange(counts[-1], dtype=torch.int32, device=order.device)
        self.limit = torch.tensor(counts, dtype=torch.int32, device=order.device)[:, None]
        self.counts, self.drawn = counts, 0

    def draw(self, into: Tensor) -> None:
        """Write the next images into (images, channel, height, width), as many as there is room for.

        Only what changes from the first to the last of them is chosen one by one: everything else is copied.
        """
        images, upto = into.flatten(2), self.drawn + len(into)
        images.copy_(self.shown)
        changing = slice(self.counts[self.drawn - 1] if self.drawn else 0, self.counts[upto - 1])
        replaced = self.turn[changing] < self.limit[self.drawn : upto]
        chosen = torch.where(replaced[:, None], self.end[..., changing], self.start[..., changing])
        if len(self.places) == 1:
            images.index_copy_(2, self.places[0][changing], chosen)
        else:
            images[:, self.places[0][changing], self.places[1][changing]] = chosen[:, 0]
        self.shown, self.drawn = images[-1:].clone(), upto

    def _moving_parts(self, image: Tensor) -> Tensor:
        """What moves of an image, (1, channel, pixels) or (1, 1, values)."""
        if len(self.places) == 1:
            # A pixel's channels lie side by side here, which makes picking pixels out of order several times faster.
            by_pixel = image[0].t().contiguous()
            return by_pixel.index_select(0, self.places[0]).t().contiguous()[None]
        return image[:, self.places[0], self.places[1]][:, None]
