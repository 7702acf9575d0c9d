"""Methods of the library `saliency` (PAIR) by name: `saliency:GuidedIG`."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from bench.api import Attribution, HeatmarkError, Network, OutputKind, Request
from bench.api.adapter import adapted_class, map_of_one, refuse, settings_of
from bench.attribution.class_activation import features_of

try:
    import saliency.core as library
except ImportError:
    library = None

WORKING = ("BlurIG", "GradCam", "GradientSaliency", "GuidedIG", "IntegratedGradients", "Occlusion", "XRAI")
ONE_PLANE = ("GradCam", "XRAI")
REFUSED = {"CoreSaliency": "it is what the library's methods are made of"}


@dataclass(frozen=True)
class SaliencyMethod(Attribution):
    """A method of PAIR's library on the target's logit, one image (height, width, channel) at a time.

    Baselines are the library's own: zero in normalised space, black and white of the image for XRAI.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)
    target: ClassVar[Any]

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Maps (batch, channel | 1, height, width)."""
        parts = []
        for row, seed in enumerate(request.rng.seeds()):
            one = request.select([row])
            like = one.images[:, :1] if self.target.__name__ in ONE_PLANE else one.images
            parts.append(map_of_one(self.name, network.module, seed, like, partial(self._map, network, one)))
        return torch.cat(parts)

    def _map(self, network: Network, one: Request) -> Tensor:
        names = inspect.signature(self.target.GetMask).parameters
        chosen = {name: value for name, value in self.settings.items() if name in names}
        picture = one.images[0].permute(1, 2, 0).cpu().numpy()
        found = np.asarray(self.target().GetMask(picture, _answers(network, one), **chosen))
        planes = found[None] if found.ndim == 2 else found.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))[None].to(one.images)


def _answers(network: Network, request: Request) -> Any:
    """The function by which the library asks for logits, gradients, and feature maps of a layer."""

    def answer(pictures: Any, call_model_args: Any = None, expected_keys: Sequence[str] = ()) -> dict[str, Any]:  # noqa: ARG001
        images = torch.from_numpy(np.asarray(pictures)).permute(0, 3, 1, 2).to(request.images).requires_grad_()
        targets = request.targets.expand(len(images))
        if library.base.CONVOLUTION_LAYER_VALUES in expected_keys:
            seen = features_of(network, images, targets)
            return {
                library.base.CONVOLUTION_LAYER_VALUES: _pictures(seen.maps),
                library.base.CONVOLUTION_OUTPUT_GRADIENTS: _pictures(seen.gradients),
            }
        logits = network.logits_of(images, targets)
        if library.base.OUTPUT_LAYER_VALUES in expected_keys:
            return {library.base.OUTPUT_LAYER_VALUES: logits.detach().cpu().numpy()}
        (gradients,) = torch.autograd.grad(logits.sum(), images)
        return {library.base.INPUT_OUTPUT_GRADIENTS: _pictures(gradients)}

    return answer


def _pictures(maps: Tensor) -> np.ndarray:
    array: np.ndarray = maps.detach().permute(0, 2, 3, 1).cpu().numpy()
    return array


def names() -> tuple[str, ...]:
    """The methods that work."""
    return tuple(sorted(WORKING))


def plugin(name: str) -> type[Attribution]:
    """The plug-in class of one of the library's methods; HeatmarkError where there is none."""
    if library is None:
        raise HeatmarkError(f'saliency:{name} needs the package saliency: pip install "heatmark[saliency]"')
    if name not in WORKING:
        raise refuse("saliency", name, REFUSED, WORKING)
    target = getattr(library, name)
    return adapted_class(
        SaliencyMethod, "saliency", target, settings_of(target.GetMask, leaving=("should_resize", "three_dims"))
    )
