"""Every method on the architectures that people use: it runs, or says in one line why it cannot."""

from copy import deepcopy
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import nn
from torchvision.models import VisionTransformer, get_model

from bench import checks
from bench.api import Network, Request
from bench.api.registry import find
from bench.checks.fixtures import small_request
from bench.errors import UnsupportedError
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from tests.support.architectures import MAKERS, network

SIZE = 64
PUBLISHED = ("vgg16", "vgg19", "resnet34", "resnet50", "googlenet")
LARGE = (*PUBLISHED, "efficientnet_b0", "mobilenet_v2", "vit_b_16")
SMALL = ("squeezenet1_1", "small_vit")
TRANSFORMERS = {"vit_b_16", "small_vit"}
CONVOLUTIONAL = {*PUBLISHED, "efficientnet_b0", "mobilenet_v2", "squeezenet1_1"}

# Which methods cannot, and the reason that they give; every other pair runs.
REFUSALS = {
    **dict.fromkeys(
        ("attention_map", "attention_rollout", "chefer_relevance", "gradient_attention", "legrad"),
        (CONVOLUTIONAL, "has no attention"),
    ),
    "deep_lift": (TRANSFORMERS, "does not cover all operations"),
    "gnl_integrated_gradients": (TRANSFORMERS | {"efficientnet_b0"}, "has no ReLU, ReLU6 or max-pool"),
    "guided_backprop": (TRANSFORMERS | {"efficientnet_b0"}, "has no ReLU, ReLU6 or max-pool"),
    "lrp": (TRANSFORMERS | {"efficientnet_b0"}, "no rule"),
}
CUT_OFF = {"ablation_cam"}  # on a random network all places of an image may speak against its class
# A layer with few maps: Score-CAM and Ablation-CAM take a pass for each.
STEM = {
    **dict.fromkeys(("vgg16", "vgg19"), "features.3"),
    **dict.fromkeys(("resnet34", "resnet50"), "maxpool"),
    **dict.fromkeys(("efficientnet_b0", "mobilenet_v2"), "features.0"),
    "googlenet": "maxpool1",
    "squeezenet1_1": "features.2",
}


@lru_cache(maxsize=1)
def explained_network(architecture: str) -> Network:
    """The architecture with random weights under which signals keep their size to the last layer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = built(architecture)
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = 1.0
        with torch.no_grad():
            module.train()(request().images.repeat(4, 1, 1, 1))
    return Network(module.eval(), name=architecture, chunk=8)


def built(architecture: str) -> nn.Module:
    if architecture == "small_vit":
        module = VisionTransformer(SIZE, 16, num_layers=2, num_heads=3, hidden_dim=48, mlp_dim=96, num_classes=10)
    elif architecture == "vit_b_16":
        module = get_model(architecture, weights=None, num_classes=10, image_size=SIZE)
    elif architecture == "googlenet":
        module = get_model(architecture, weights=None, num_classes=10, aux_logits=False, init_weights=True)
    else:
        module = get_model(architecture, weights=None, num_classes=10)
    if isinstance(module, VisionTransformer):  # torchvision's head begins with zeros, and so would gradients
        nn.init.normal_(module.heads.head.weight, std=0.1)
    return module


def request() -> Request:
    """Two images of blobs, in which there are superpixels."""
    made, coarse = small_request(2, SIZE, SIZE), small_request(2, 8, 8).images.float()
    images = nn.functional.interpolate(coarse, SIZE, mode="bilinear") + 0.5
    return replace(made, images=images, truth=made.truth.float(), references=images.flip(0))


def checksum(network: Network) -> list[float]:
    return [float(values.double().sum()) for values in network.module.state_dict().values()]


def grid(architectures: tuple[str, ...]) -> list[tuple[str, str]]:
    return [(architecture, name) for architecture in architectures for name in find("attributions")]


def runs_or_says_why(architecture: str, name: str) -> None:
    network, asked = explained_network(architecture), request()
    asked = replace(asked, targets=network.logits(asked.images).argmax(1))
    method = checks.quick(find("attributions")[name]())
    if name in {"score_cam", "ablation_cam"}:
        method = replace(method, layer=STEM.get(architecture, ""))
    before = checksum(network)
    refusing, reason = REFUSALS.get(name, (set(), ""))
    if architecture in refusing:
        with pytest.raises(UnsupportedError, match=reason) as caught:
            method.explain(network, asked)
        assert architecture in str(caught.value)
        assert "\n" not in str(caught.value)
    else:
        heatmaps = method.heatmaps(method.explain(network, asked))
        assert heatmaps.shape == (2, SIZE, SIZE)
        assert heatmaps.isfinite().all()
        varied = heatmaps.flatten(1).std(1) > 0
        for target in range(4) if name in CUT_OFF else ():
            other = replace(asked, targets=torch.full_like(asked.targets, target))
            varied |= method.heatmaps(method.explain(network, other)).flatten(1).std(1) > 0
        assert varied.all()
    assert checksum(network) == before
    assert not network.module.training


@pytest.mark.parametrize(("architecture", "name"), grid(SMALL))
def test_method_runs_or_says_why_on_small_networks(architecture, name):
    runs_or_says_why(architecture, name)


@pytest.mark.long
@pytest.mark.parametrize(("architecture", "name"), grid(LARGE))
def test_method_runs_or_says_why_on_large_networks(architecture, name):
    runs_or_says_why(architecture, name)


ALONE = 1e-5  # of the largest attribution
CHEAP = ("attention_rollout", "attn_lrp", "chefer_relevance", "eigen_cam", "grad_cam", "hires_cam", "legrad", "lrp")
TRIED_QUICKLY = ("timm Swin", "timm ViT, attention pool")


def keeps_its_promises_or_says_why(network: Network, name: str) -> str:
    """Says "runs", or the one line why not: alone as in company, whatever the memory format, and by its target."""
    asked = request().with_images(request().images.double())
    method = checks.quick(find("attributions")[name]())
    if name in {"score_cam", "ablation_cam"} and len(list(network.module.parameters())) > 120:
        return "runs on smaller networks: a pass for each map"
    try:
        whole = method.explain(network, asked)
    except UnsupportedError as error:
        said = str(error)
    else:
        said = ""
    if said:
        assert network.name in said
        assert "\n" not in said
        return said
    assert whole.isfinite().all(), name
    scale = float(whole.abs().max())
    for row in range(len(asked)):
        alone = method.explain(network, asked.select([row]))
        assert float((alone - whole[row]).abs().max()) <= ALONE * scale, f"{name} depends on company"
    last = method.explain(network, asked.with_images(asked.images.contiguous(memory_format=torch.channels_last)))
    assert float((last - whole).abs().max()) <= ALONE * scale, f"{name} depends on the memory format"
    others = method.explain(network, replace(asked, targets=(asked.targets + 1) % 10))
    assert (float((others - whole).abs().max()) > ALONE * scale) <= method.follows_target, f"{name} follows its target"
    return "runs"


@pytest.mark.parametrize("architecture", TRIED_QUICKLY)
def test_transformers_of_two_kinds_run_or_say_why(architecture):
    said = {name: keeps_its_promises_or_says_why(network(architecture), name) for name in CHEAP}
    windows = "attends within windows of the image" if architecture == "timm Swin" else "runs"
    assert all(windows in said[name] for name in ("attention_rollout", "chefer_relevance", "legrad"))
    assert {said[name] for name in ("attn_lrp", "eigen_cam", "grad_cam", "hires_cam")} == {"runs"}


@pytest.mark.long
@pytest.mark.parametrize("architecture", MAKERS)
def test_table_of_methods_and_architectures(architecture, capsys):
    """No cell is silent; `-s` shows the table."""
    made = network(architecture)
    for name in find("attributions"):
        said = keeps_its_promises_or_says_why(made, name)
        with capsys.disabled():
            print(f"{architecture} | {name} | {said}")  # noqa: T201 - the table


@pytest.mark.parametrize("architecture", ["squeezenet1_1", "mobilenet_v2", "resnet18"])
def test_integrated_gradients_equal_captum_s(architecture):
    captum = pytest.importorskip("captum.attr")
    single = explained_network(architecture)
    network, asked = replace(single, module=deepcopy(single.module).double()), request()
    asked = asked.with_images(asked.images.double())
    theirs = captum.IntegratedGradients(network.module).attribute(asked.images, target=asked.targets, n_steps=8)
    found = IntegratedGradients(nodes=8).explain(network, asked)
    scale = theirs.abs().max()
    torch.testing.assert_close(found / scale, theirs / scale, rtol=0, atol=1e-5)
