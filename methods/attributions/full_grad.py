"""What the image and every bias add to the logit, put together as one map."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench.api import Attribution, Cost, Network, Request
from bench.attribution.class_activation import enlarged, full_gradients
from bench.attribution.insides import Insides, last_tokens
from bench.attribution.layouts import FIRST, Layout
from bench.functional.heatmaps import min_max


@dataclass(frozen=True)
class FullGrad(Attribution):
    """Image times gradient, and each bias times the gradient there, as one map (Full-Grad).

    Biases of convolutions, linear layers and norms, of batch norms also what their running means add, wherever they
    stand in a map or in tokens whose places are known (`bench.attribution.insides`); those of features that have no
    place are left out, as in the paper. Of the image and of each layer the absolute values are scaled to [0, 1] image
    by image, enlarged bilinearly, and added up over channels, as the authors' code does. One channel, never negative.
    """

    display: ClassVar[str] = "FullGrad"
    reference: ClassVar[str] = "Srinivas and Fleuret, 2019, arXiv:1905.00780"

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Maps (batch, 1, height, width)."""
        of_image, of_biases, seen = full_gradients(network, request.images, request.targets)
        found = min_max(of_image.abs()).sum(1, keepdim=True)
        for term in of_biases:
            layout = FIRST if term.ndim == 4 else _layout_of_tokens(term, seen)
            if layout is not None:
                # Enlarging is linear: enlarged one by one, a layer's maps would take gigabytes.
                together = min_max(layout.maps(term.abs())).sum(1, keepdim=True)
                found = found + enlarged(together, request.images)
        return found

    def cost(self, network: Network, request: Request) -> Cost:
        """One gradient."""
        return Cost(1, 1)


def _layout_of_tokens(term: Tensor, seen: Insides) -> Layout | None:
    """Where the places of the image are among features of as many tokens as the network has; None of others."""
    for count in term.shape[:2]:
        found = last_tokens(seen, count)
        if found is not None and found[1].tokens(term).shape[:2] == (len(seen.images), count):
            return found[1]
    return None
