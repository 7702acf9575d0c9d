"""Class activation maps of pytorch-grad-cam by name: `gradcam:HiResCAM`."""

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bench.api import Attribution, HeatmarkError, Network, OutputKind, Request
from bench.api.adapter import adapted_class, map_of_one, refuse, settings_of, silenced
from bench.attribution.layers import spatial_layer

try:
    import pytorch_grad_cam as library
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
except ImportError:
    library = None

WORKING = (
    *("AblationCAM", "EigenCAM", "EigenGradCAM", "FEM", "FullGrad", "GradCAM", "GradCAMElementWise", "GradCAMPlusPlus"),
    *("HiResCAM", "KPCA_CAM", "LayerCAM", "RandomCAM", "ScoreCAM", "ShapleyCAM", "XGradCAM"),
)
_HELPER = "it is a part that the library's methods are made of"
REFUSED = {
    "DeepFeatureFactorization": "it finds concepts, not a map of the target",
    "FinerCAM": "it compares the target with other classes that it chooses itself; a target's map is not defined",
    "GuidedBackpropReLUModel": "it is the method guided_backprop",
    "RefineCAM": "it refines the map of another method with functions of your own",
    "SESS": "it crops and rescales the image around another method, with functions of your own",
    "SegEigenCAM": "it segments with a model of its own",
    **dict.fromkeys(
        ("AblationLayer", "AblationLayerFasterRCNN", "AblationLayerVit", "ActivationsAndGradients"), _HELPER
    ),
}


@dataclass(frozen=True)
class GradCamMethod(Attribution):
    """A map of pytorch-grad-cam of the target's logit, each scaled to [0, 1] by the library.

    `layer`: the last with a spatial map unless named. One image at a time, since some methods scale over the batch.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)
    target: ClassVar[Any]

    def attribute(self, network: Network, request: Request) -> Tensor:
        """Maps (batch, 1, height, width)."""
        layer = spatial_layer(network, request.images, self.settings["layer"])
        parts = []
        for image, wanted, seed in zip(request.images, request.targets.tolist(), request.rng.seeds(), strict=True):
            made = partial(self._map, network, layer, image[None], wanted)
            who = f"{self.name} on network {network.name!r}"
            parts.append(map_of_one(who, network.module, seed, image[None, :1], made))
        return torch.cat(parts)

    def _map(self, network: Network, layer: nn.Module, image: Tensor, wanted: int) -> Tensor:
        """The map of one image; NaN where what it is made of is no number, which the library may take for zero."""
        names = inspect.signature(self.target.__init__).parameters
        chosen = {name: value for name, value in self.settings.items() if name in names}
        shown = image.contiguous().requires_grad_()
        with silenced(), self.target(model=network.module, target_layers=[layer], **chosen) as cam:
            found = torch.from_numpy(cam(input_tensor=shown, targets=[ClassifierOutputTarget(wanted)])).to(image)
            inside = cam.activations_and_grads
            finite = all(own.isfinite().all() for own in (*inside.activations, *inside.gradients))
        return found[:, None] if finite else torch.full_like(found[:, None], torch.nan)


def names() -> tuple[str, ...]:
    """The methods that work."""
    return tuple(sorted(WORKING))


def plugin(name: str) -> type[Attribution]:
    """The plug-in class of one of the library's methods; HeatmarkError where there is none."""
    if library is None:
        raise HeatmarkError(f'gradcam:{name} needs pytorch-grad-cam: pip install "heatmark[gradcam]"')
    if name not in WORKING:
        raise refuse("gradcam", name, REFUSED, WORKING)
    target = getattr(library, name)
    return adapted_class(GradCamMethod, "grad-cam", target, {**settings_of(target.__init__), "layer": ""})
