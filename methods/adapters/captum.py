"""Attribution methods of Captum by name: `captum:IntegratedGradients`."""

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bench.api import Attribution, HeatmarkError, Network, OutputKind, Request, UnsupportedError
from bench.api.adapter import FAILURES, adapted_class, map_of_one, refuse, settings_of, unsupported
from bench.attribution.class_activation import enlarged
from bench.attribution.layers import spatial_layer
from bench.attribution.superpixels import superpixels

try:
    import captum.attr as library
except ImportError:
    library = None

LAYER = (
    *("GuidedGradCam", "InternalInfluence", "LayerActivation", "LayerConductance", "LayerDeepLift", "LayerGradCam"),
    *("LayerGradientXActivation", "LayerIntegratedGradients", "LayerLRP"),
)
RANDOM = ("GradientShap", "KernelShap", "Lime", "ShapleyValueSampling", "NoiseTunnel")
SEGMENTED = ("FeatureAblation", "KernelShap", "Lime", "ShapleyValueSampling")
POOLED = ("DeepLiftShap", "GradientShap")
WORKING = (
    *("Deconvolution", "DeepLift", "DeepLiftShap", "FeatureAblation", "GradientShap", "GuidedBackprop"),
    *("InputXGradient", "IntegratedGradients", "KernelShap", "LRP", "Lime", "NoiseTunnel", "Occlusion", "Saliency"),
    *("ShapleyValueSampling", *LAYER),
)
_NEURON = "it explains a neuron, not the target's output"
_TEXT = "it explains language models"
REFUSED = {
    "DataLoaderAttribution": "it explains the mean over a data set, not an image",
    "FeaturePermutation": "it permutes values between the images of a batch, so that a score depends on its neighbours",
    "LayerDeepLiftShap": "use captum:LayerDeepLift; several baselines at a layer double the batch without a bound",
    "LayerFeatureAblation": "it ablates every value of a layer, some ten thousand passes an image",
    "LayerFeaturePermutation": "it permutes values between the images of a batch",
    "LayerGradientShap": "use captum:LayerIntegratedGradients; its draws are shared by the images of a batch",
    "LimeBase": "it needs functions of your own; use captum:Lime",
    "ShapleyValues": "it needs two to the power of the segments passes; use captum:ShapleyValueSampling",
    **dict.fromkeys(("LLMAttribution", "LLMGradientAttribution", "RemoteLLMAttribution"), _TEXT),
    **dict.fromkeys(
        (
            *("NeuronConductance", "NeuronDeconvolution", "NeuronDeepLift", "NeuronDeepLiftShap", "NeuronGradient"),
            *("NeuronFeatureAblation", "NeuronGradientShap", "NeuronGuidedBackprop", "NeuronIntegratedGradients"),
        ),
        _NEURON,
    ),
}
# What this project gives or fixes itself.
_GIVEN = ("return_convergence_delta", "show_progress", "return_input_shape", "verbose", "attr_dim_summation")


@dataclass(frozen=True)
class CaptumMethod(Attribution):
    """A method of Captum on the target's logit; settings are those of its constructor and `attribute`.

    `segments`: how many superpixels are features, 0 for every value. `layer`: the last with a spatial map unless named;
    maps of layers are summed over channels and enlarged. `of`: the method that NoiseTunnel averages.
    """

    output_kinds: ClassVar[tuple[OutputKind, ...]] = ("logits",)
    target: ClassVar[Any]

    def attribute(self, network: Network, request: Request) -> Tensor:
        """What Captum returns, one image at a time where it draws numbers or returns the layer's maps."""
        who = f"{self.name} on network {network.name!r}"
        if self.target.__name__ not in RANDOM:
            try:
                return self._attributed(network, request)
            except FAILURES as error:
                raise unsupported(who, error) from error
        parts = []
        for row, seed in enumerate(request.rng.seeds()):
            one = request.select([row])
            made = partial(self._attributed, network, one)
            parts.append(map_of_one(who, network.module, seed, one.images, made))
        return torch.cat(parts)

    def _attributed(self, network: Network, request: Request) -> Tensor:
        images = request.images.requires_grad_()
        found = self._made(network, request).attribute(images, **self._arguments(network, request))
        found = found[0] if isinstance(found, tuple) and found else found
        if not isinstance(found, Tensor) or not found.is_floating_point():
            given = found.dtype if isinstance(found, Tensor) else type(found).__name__
            raise UnsupportedError(f"{self.name} returned {given}; expected floating point")
        if self.target.__name__ not in LAYER:
            return found.detach().to(images.dtype)
        if found.ndim != 4:
            raise UnsupportedError(f"{self.name}: layer of network {network.name!r} has no spatial map")
        if found.shape[2:] != images.shape[2:]:
            found = enlarged(found.sum(1, keepdim=True), images)
        return found.detach().to(images.dtype)

    def _made(self, network: Network, request: Request) -> Any:
        chosen = self._chosen(self.target.__init__)
        chosen.pop("layer", None)
        if self.target.__name__ == "NoiseTunnel":
            return self.target(getattr(library, self.settings["of"])(network.module))
        if self.target.__name__ in LAYER:
            layer = spatial_layer(network, request.images, self.settings["layer"])
            return self.target(network.module, layer, **chosen)
        return self.target(network.module, **chosen)

    def _arguments(self, network: Network, request: Request) -> dict[str, Any]:
        """What `attribute` is called with beside images."""
        arguments = self._chosen(self.target.attribute)
        if self.target.__name__ != "LayerActivation":
            arguments["target"] = request.targets
        if self.target.__name__ in SEGMENTED and self.settings["segments"]:
            masks = superpixels(network, request.images, self.settings["segments"])
            arguments["feature_mask"] = masks[:, None]
        if self.target.__name__ in POOLED:
            if request.references is None:
                raise UnsupportedError(f"{self.name} needs reference images")
            arguments["baselines"] = request.references.to(request.images.dtype)
        if self.target.__name__ == "Occlusion":
            window = (request.images.shape[1], self.settings["side"], self.settings["side"])
            arguments |= {"sliding_window_shapes": window, "strides": (window[0], *(self.settings["stride"],) * 2)}
        return arguments

    def _chosen(self, function: Any) -> dict[str, Any]:
        names = inspect.signature(function).parameters
        return {name: value for name, value in self.settings.items() if name in names}


def names() -> tuple[str, ...]:
    """The methods that work."""
    return tuple(sorted(WORKING))


def plugin(name: str) -> type[Attribution]:
    """The plug-in class of one of Captum's methods; HeatmarkError where there is none."""
    if library is None:
        raise HeatmarkError(f'captum:{name} needs Captum: pip install "heatmark[captum]"')
    if name not in WORKING:
        raise refuse("captum", name, REFUSED, WORKING)
    target = getattr(library, name)
    settings = settings_of(target.__init__, target.attribute, leaving=_GIVEN)
    settings |= {"layer": ""} if name in LAYER else {}
    settings |= {"segments": 0} if name in SEGMENTED else {}
    settings |= {"of": "Saliency"} if name == "NoiseTunnel" else {}
    settings |= {"side": 8, "stride": 4} if name == "Occlusion" else {}
    return adapted_class(CaptumMethod, "captum", target, settings)
