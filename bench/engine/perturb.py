"""An image that turns into another one, pixel after pixel."""

import torch
from torch import Tensor

# Images and replaced pixels that are drawn together: the overhead of each call falls with them, the work grows with
# the square of the images.
_IMAGES, _PIXELS = 8, 2048


class Replacing:
    """An image (1, channel, height, width) on its way from `start` to `end`, after each of ascending `counts`.

    `order` holds the flat positions of pixels (all channels together), or of the values of all channels one by one.
    """

    def __init__(self, order: Tensor, start: Tensor, end: Tensor, counts: list[int]) -> None:
        self.shown, moving = start.flatten(2), order[: counts[-1]]
        pixels = self.shown.shape[2]
        self.places = (moving,) if len(order) == pixels else (moving // pixels, moving % pixels)
        # A pixel's channels lie side by side here, which makes picking pixels out of order several times faster.
        self.start, self.end = (image[0].flatten(1).t().contiguous() for image in (start, end))
        self.turn = torch.arange(counts[-1], dtype=torch.int32, device=order.device)
        self.limit = torch.tensor(counts, dtype=torch.int32, device=order.device)[:, None]
        self.counts, self.drawn = [0, *counts], 0

    def draw(self, into: Tensor) -> None:
        """Write the next images into (images, channel, height, width), as many as there is room for."""
        images = into.flatten(2)
        while len(images):
            together = self._together(len(images))
            self._draw(images[:together])
            images = images[together:]
        self.shown = self.shown.clone()

    def _together(self, room: int) -> int:
        """How many images are drawn next: fewer where many pixels change from one to the next."""
        together = min(room, _IMAGES)
        while together > 1 and self.counts[self.drawn + together] - self.counts[self.drawn] > _PIXELS:
            together -= 1
        return together

    def _draw(self, images: Tensor) -> None:
        """Only what changes from the first to the last of these is chosen one by one: everything else is copied."""
        images.copy_(self.shown)
        upto = self.drawn + len(images)
        changing = slice(self.counts[self.drawn], self.counts[upto])
        places = [own[changing] for own in self.places]
        chosen = _picked(self.end, places)[None]
        if len(images) > 1:
            replaced = self.turn[changing] < self.limit[self.drawn : upto]
            chosen = torch.where(replaced[:, None], chosen, _picked(self.start, places))
        if len(places) == 1:
            images.index_copy_(2, places[0], chosen)
        else:
            images[:, places[0], places[1]] = chosen[:, 0]
        self.shown, self.drawn = images[-1:], upto


def _picked(image: Tensor, places: list[Tensor]) -> Tensor:
    """What an image (pixel, channel) has at pixels, (channel, pixel), or at values of (channel, pixel), (1, value)."""
    if len(places) == 1:
        return image.index_select(0, places[0]).t().contiguous()
    return image[places[1], places[0]][None]
