"""Compressed size of the heatmap."""

import zlib
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from bench.api import Explained, Metric, Scored
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class CompressedSize(Metric):
    """Bits per pixel of the heatmap, scaled to 256 levels and compressed losslessly.

    Each row is coded as differences from its left neighbour (PNG's filter "sub"), then by zlib at level 9; a constant
    map needs next to nothing. Another build of zlib may differ by some bytes.
    """

    unit: ClassVar[str] = "bits per pixel"
    is_property: ClassVar[bool] = True
    question: ClassVar[str] = "How much is there to see in the heatmap?"
    direction: ClassVar[Literal["higher", "lower"]] = "lower"
    range: ClassVar[tuple[float, float]] = (0.0, torch.inf)
    blind_spot: ClassVar[str] = "Whether what there is to see is right; small maps pay for the compressor's header."
    reference: ClassVar[str] = "Deutsch, 1996, RFC 1950; PNG specification, W3C, 2003"

    def score(self, explained: Explained) -> Scored:
        """The compressed length of each map over its pixels."""
        levels = (min_max(explained.heatmaps.double()) * 255).round().to(torch.int16)
        filtered = levels.diff(dim=2, prepend=torch.zeros_like(levels[:, :, :1])).remainder(256).to(torch.uint8)
        sizes = [len(zlib.compress(own.cpu().numpy().tobytes(), 9)) for own in filtered]
        return Scored(torch.tensor(sizes, dtype=torch.float64, device=levels.device) * 8 / levels[0].numel())
