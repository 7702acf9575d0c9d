"""Methods of other libraries by name are the library called by hand; what they offer works or says why not."""

import contextlib
import io
import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import bench
from bench.api import Attribution, HeatmarkError, Network, Request, UnsupportedError
from bench.api.registry import plugin_class
from bench.attribution.layers import spatial_layer
from bench.checks.fixtures import small_network, small_request
from bench.plugins.sources import ADAPTERS, libraries
from bench.suites.make import make_plugin

pytestmark = pytest.mark.filterwarnings("ignore")
REQUEST = small_request()
SLOW = {"captum:FeatureAblation", "captum:ShapleyValueSampling", "captum:KernelShap", "captum:Lime", "saliency:XRAI"}
OFFERED = [
    f"{library}:{name}"
    for library in libraries("attributions")
    for name in import_module(f"{ADAPTERS['attributions']}.{library}").names()
]


def made(name: str, **settings: object) -> Attribution:
    plugin = make_plugin("attributions", {"name": name, **settings}, "attributions")
    assert isinstance(plugin, Attribution)
    return plugin


def last_convolution(network: Network) -> nn.Module:
    return spatial_layer(network, REQUEST.images)


def by_captum(name: str, network: Network, request: Request) -> Tensor:
    captum = pytest.importorskip("captum.attr")
    images, targets, module = request.images.clone().requires_grad_(), request.targets, network.module
    layered = name.startswith("Layer")
    method = getattr(captum, name)(module, last_convolution(network)) if layered else getattr(captum, name)(module)
    match name:
        case "Occlusion":
            found = method.attribute(images, (3, 8, 8), target=targets, strides=(3, 4, 4))
        case "DeepLiftShap":
            found = method.attribute(images, request.references, target=targets)
        case _:
            found = method.attribute(images, target=targets)
    if layered:
        found = F.interpolate(found.sum(1, keepdim=True), images.shape[2:], mode="bilinear", align_corners=False)
    return found.detach()


CAPTUM = [
    *("Deconvolution", "DeepLift", "DeepLiftShap", "FeatureAblation", "GuidedBackprop", "InputXGradient"),
    *("IntegratedGradients", "LayerGradCam", "LayerGradientXActivation", "LayerIntegratedGradients", "Occlusion"),
    *("LayerConductance", "LayerDeepLift", "Saliency"),
]


@pytest.mark.parametrize("name", CAPTUM)
def test_captum_by_name_is_captum_by_hand(name: str) -> None:
    found = made(f"captum:{name}").explain(small_network(), REQUEST)
    torch.testing.assert_close(found, by_captum(name, small_network(), REQUEST).to(found), rtol=0, atol=1e-6)


GRADCAM = [
    *("EigenCAM", "EigenGradCAM", "FullGrad", "GradCAM", "GradCAMElementWise", "GradCAMPlusPlus", "HiResCAM"),
    *("LayerCAM", "ScoreCAM", "XGradCAM"),
]


@pytest.mark.parametrize("name", GRADCAM)
def test_gradcam_by_name_is_the_library_by_hand(name: str) -> None:
    library = pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    network = small_network()
    found = made(f"gradcam:{name}").explain(network, REQUEST)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        cam = getattr(library, name)(network.module, [last_convolution(network)])
        for row, image in enumerate(REQUEST.images):
            wanted = [ClassifierOutputTarget(int(REQUEST.targets[row]))]
            expected = cam(image[None].clone().requires_grad_(), wanted)
            np.testing.assert_allclose(found[row].numpy(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["epsilon_plus", "epsilon_plus_flat", "epsilon_alpha2_beta1", "excitation_backprop", "guided_backprop"]
)
def test_zennit_by_name_is_zennit_by_hand(name: str) -> None:
    composites = pytest.importorskip("zennit.composites")
    from zennit.attribution import Gradient

    module, wanted = small_network().module, F.one_hot(REQUEST.targets, 5).double()
    with Gradient(module, composites.COMPOSITES[name]()) as attributor:
        _, expected = attributor(REQUEST.images.clone().requires_grad_(), lambda logits: logits.detach() * wanted)
    torch.testing.assert_close(made(f"zennit:{name}").explain(small_network(), REQUEST), expected, rtol=0, atol=1e-6)


def maps_or_reason(name: str, network: Network) -> Tensor | str:
    try:
        return made(name).explain(network, REQUEST)
    except UnsupportedError as error:
        return str(error)


@pytest.mark.parametrize("name", [name for name in OFFERED if name not in SLOW])
def test_what_is_offered_works_or_says_why_not(name: str) -> None:
    network = small_network()
    before = [values.clone() for values in network.module.state_dict().values()]
    found = maps_or_reason(name, network)
    if isinstance(found, str):
        assert "\n" not in found
        assert found.startswith(name)
    else:
        assert found.shape[0] == 3
        assert found.shape[2:] == REQUEST.images.shape[2:]
        assert found.isfinite().all()
    assert all(torch.equal(*pair) for pair in zip(before, network.module.state_dict().values(), strict=True))
    assert not any(part._forward_hooks or part._backward_hooks for part in network.module.modules())


@pytest.mark.parametrize(
    "name", ["captum:GradientShap", "captum:NoiseTunnel", "captum:KernelShap", "gradcam:RandomCAM"]
)
def test_chance_belongs_to_the_image(name: str) -> None:
    method = made(name)
    whole = method.explain(small_network(), REQUEST)
    alone = method.explain(small_network(), replace(REQUEST.select([2]), references=REQUEST.references))
    torch.testing.assert_close(alone[0], whole[2], rtol=0, atol=1e-12)
    state = torch.random.get_rng_state()
    method.explain(small_network(), REQUEST)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_superpixels_are_the_features_where_segments_are_asked_for() -> None:
    found = made("captum:FeatureAblation", segments=6).explain(small_network(), REQUEST)
    assert len(found[0, 0].unique()) <= 6


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("captum:Saliencey", "captum has no 'Saliencey' for image classifiers; did you mean 'Saliency'"),
        ("captum:NeuronGradient", "captum:NeuronGradient is not offered: it explains a neuron"),
        ("captom:Saliency", "no library 'captom' for attributions; did you mean 'captum'"),
        ("gradcam:SESS", "gradcam:SESS is not offered"),
    ],
)
def test_a_name_that_is_none_is_one_line(name: str, message: str) -> None:
    with pytest.raises(HeatmarkError, match=message):
        plugin_class("attributions", name)


def test_settings_are_those_of_the_library() -> None:
    assert made("captum:IntegratedGradients", n_steps=7).label == "captum:IntegratedGradients(n_steps=7)"
    with pytest.raises(HeatmarkError, match="n_stepss: captum:IntegratedGradients has no such setting; did you mean"):
        made("captum:IntegratedGradients", n_stepss=7)
    with pytest.raises(HeatmarkError, match="n_steps"):
        made("captum:IntegratedGradients", n_steps="many")
    assert made("captum:Saliency").library.startswith("captum ")


def test_a_board_tells_the_methods_of_a_library_apart() -> None:
    shown = {
        made(name).card.display for name in ("captum:Saliency", "captum:LRP", "zennit:epsilon_plus", "saliency:XRAI")
    }
    assert shown == {"Saliency (captum)", "LRP (captum)", "EpsilonPlus (zennit)", "XRAI (saliency)"}


def test_they_run_beside_our_own() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = bench.evaluate(
            small_network().module,
            REQUEST.images,
            attributions=["captum:InputXGradient", "input_x_gradient"],
            metrics=["deletion"],
        )
    theirs, ours = (own.score.to_numpy() for _, own in scores.groupby("attribution", sort=True))
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-9)
