"""The contract of an attribution method: signed maps of the target's output."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import torch
from torch import Tensor

from bench.api.module_state import frozen_for_evaluation, traces
from bench.api.network import Network
from bench.api.plugin import Plugin
from bench.api.request import Cost, Request
from bench.errors import HeatmarkError, UnsupportedError
from bench.functional.heatmaps import Reduction, reduce_channels
from bench.plugin_card import AttributionCard


@dataclass(frozen=True)
class Attribution(Plugin):
    """How a network is explained. `reduction` turns the signed attributions into a heatmap.

    A `control` competes with nobody: it shows what a map of known worth scores. The `floor` is the control that
    knows nothing at all, from which metrics are calibrated.

    A method that does not `follows_target` gives the same map for every target; one without `needs_gradient` takes
    no gradient of the network, so that it works where none can be taken; `lowest_precision` is that of weights
    in which it can be right: one that takes outputs from each other needs more than the three digits of bfloat16, one
    that calculates inside the network float32. Images are float32 at least. `shared_passes` images go forward once for
    all that are explained in one chunk.
    """

    reduction: Reduction = "absolute_sum"
    control: ClassVar[bool] = False
    floor: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = False
    follows_target: ClassVar[bool] = True
    needs_gradient: ClassVar[bool] = True
    shared_passes: ClassVar[int] = 0
    lowest_precision: ClassVar[Literal["bfloat16", "float16", "float32"]] = "bfloat16"

    @property
    def card(self) -> AttributionCard:
        """What the method says of itself under these settings."""
        return AttributionCard(
            **vars(super().card),
            control=self.control,
            floor=self.floor,
            needs_truth=self.needs_truth,
            degraded=self.degraded,
        )

    @property
    def degraded(self) -> float | None:
        """How far, from 0 to 1, its maps are the truth made worse by a known step; None where they are not.

        Such a control is no entry of a board: the audit asks which metrics recover the order of its steps.
        """
        return None

    @abstractmethod
    def attribute(self, network: Network, request: Request) -> Tensor:
        """Signed attributions (batch, channel | 1, height, width) of the target logit."""

    def cost(self, network: Network, request: Request) -> Cost | None:  # noqa: ARG002
        """Passes through the network for each image, at most where images differ; None where nobody counted."""
        return None

    @final
    def explain(self, network: Network, request: Request) -> Tensor:
        """Attributions (batch, channel | 1, height, width), the network and the images left as they were.

        An image that is not finite is not explained: all NaN. Raises HeatmarkError naming the plug-in when it returns
        the wrong shape or leaves a hook or a mode behind.
        """
        self.check_takes(network.output, network.name)
        if self.needs_truth and request.truth is None:
            raise HeatmarkError(f"attribution {self.name!r} needs a truth map, and this data set has none")
        self._check_precision(network)
        finite = request.images.flatten(1).isfinite().all(1)
        if not finite.all():
            return self.explain_some(network, request, finite)
        parts = []
        with torch.inference_mode(False), frozen_for_evaluation(network.module), torch.enable_grad():
            before = traces(network.module)
            for part in request.split(network.chunk):
                given = part.images.detach().to(torch.promote_types(part.images.dtype, torch.float32), copy=True)
                own = replace(part, images=given, targets=part.targets.clone())
                attributions = self.attribute(network, own)
                self._check_returned(attributions, part.images)
                # Sums over the pixels of a map are out of reach of half precision.
                parts.append(attributions.detach().to(torch.promote_types(attributions.dtype, torch.float32)))
            self._check_left(network, before)
        return torch.cat(parts)

    @final
    def explain_some(self, network: Network, request: Request, chosen: Tensor) -> Tensor:
        """The same of the `chosen` images (batch,), which are all that the method is shown; NaN for the others."""
        rows = chosen.nonzero().flatten().tolist()
        if len(rows) == len(request):
            return self.explain(network, request)
        if not rows:
            nothing = torch.full_like(request.images[:, :1], torch.nan)
            return nothing.to(torch.promote_types(nothing.dtype, torch.float32))
        found = self.explain(network, request.select(rows))
        maps = found.new_full((len(request), *found.shape[1:]), torch.nan)
        maps[rows] = found
        return maps

    @final
    def heatmaps(self, attributions: Tensor) -> Tensor:
        """Heatmaps (batch, height, width): the declared reduction over channels."""
        return reduce_channels(attributions, self.reduction)

    def _check_precision(self, network: Network) -> None:
        """Raises UnsupportedError where the network's weights are too coarse for the method to be right."""
        dtype = next((weights.dtype for weights in network.module.parameters() if weights.is_floating_point()), None)
        digits = ("bfloat16", "float16", "float32")
        given = str(dtype).removeprefix("torch.")
        if given in digits and digits.index(given) < digits.index(self.lowest_precision):
            raise UnsupportedError(
                f"attribution {self.name!r} cannot be right in {given}, the precision of "
                f"network {network.name!r}; explain it in float32: module.float()"
            )

    def _check_left(self, network: Network, before: dict[str, object]) -> None:
        """Raises HeatmarkError where the method left hooks, another mode or wanted gradients on the network."""
        after = traces(network.module)
        changed = next((what for what, value in before.items() if what in after and after[what] != value), None)
        if changed is not None:
            raise HeatmarkError(
                f"attribution {self.name!r} changed the {changed} of network {network.name!r}; "
                "it was put back, and what it gave is not used"
            )

    def _check_returned(self, attributions: object, images: Tensor) -> None:
        """Raises HeatmarkError where a method returned no signed maps of these images, or on another device."""
        batch, channels, height, width = images.shape
        returned = type(attributions).__name__
        if isinstance(attributions, Tensor):
            shapes = ((batch, channels, height, width), (batch, 1, height, width))
            plain = attributions.layout == torch.strided and attributions.device == images.device
            if plain and attributions.is_floating_point() and attributions.shape in shapes:
                return
            place = "" if plain else f" {attributions.layout} on {attributions.device}"
            returned = f"{attributions.dtype}{place} of shape {tuple(attributions.shape)}"
        raise HeatmarkError(
            f"attribution {self.name!r} returned {returned}; "
            f"expected floating point of shape ({batch}, {channels} or 1, {height}, {width})"
        )
