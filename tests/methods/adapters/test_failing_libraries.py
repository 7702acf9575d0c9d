"""What a library returns is maps of the images or one line, and what the network does not answer makes no map."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import bench
from bench.api import Attribution, HeatmarkError, Network
from bench.checks.fixtures import small_network, small_request
from bench.suites.make import make_plugin
from tests.support.networks import FailsForSome

pytestmark = pytest.mark.filterwarnings("ignore")
REQUEST = small_request()
SHOWN_OTHERS = [
    *("captum:FeatureAblation", "captum:Lime", "captum:NoiseTunnel", "captum:Occlusion", "captum:ShapleyValueSampling"),
    *("gradcam:ScoreCAM", "saliency:BlurIG", "saliency:Occlusion", "saliency:XRAI"),
]


def made(name: str) -> Attribution:
    few = {"segments": 20} if name.partition(":")[2] in ("FeatureAblation", "Lime", "ShapleyValueSampling") else {}
    plugin = make_plugin("attributions", {"name": name, **few}, "attributions")
    assert isinstance(plugin, Attribution)
    return plugin


def thrown(error: Exception) -> Tensor:
    raise error


NO_MAPS: dict[str, Callable[[Tensor], Any]] = {
    "a smaller map of no layer": lambda x: x[:, :, :8],
    "no channels": lambda x: x[:, :0],
    "one for all": lambda x: x[:1],
    "too many": lambda x: torch.cat([x, x]),
    "whole numbers": lambda x: (x * 10).int(),
    "truth values": lambda x: x > 0,
    "complex numbers": lambda x: x + 1j * x,
    "no values": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
    "nothing": lambda _: None,
    "a list": lambda x: [x],
    "an empty tuple": lambda _: (),
    "an array": lambda x: x.numpy(),
    "an error without words": lambda _: thrown(AssertionError()),
    "a division": lambda _: thrown(ZeroDivisionError("division by zero")),
    "a place that is not there": lambda _: thrown(IndexError("list index out of range")),
    "many lines": lambda _: thrown(ValueError("one\ntwo" * 1000)),
}


def evaluated(monkeypatch: pytest.MonkeyPatch, given: Callable[[Tensor], Any], on_error: str) -> Any:
    captum = pytest.importorskip("captum.attr")

    @functools.wraps(captum.Saliency.attribute)
    def attribute(_: Any, inputs: Tensor, **__: Any) -> Any:
        return given(inputs.detach().clone())

    monkeypatch.setattr(captum.Saliency, "attribute", attribute)
    return bench.evaluate(
        small_network().module,
        REQUEST.images,
        attributions=["captum:Saliency"],
        metrics=["gini"],
        on_error=on_error,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("what", NO_MAPS)
def test_what_is_no_map_of_the_images_is_one_line(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HeatmarkError, match="captum:Saliency") as caught:
        evaluated(monkeypatch, NO_MAPS[what], "raise")
    assert len(str(caught.value)) < 500
    frame = evaluated(monkeypatch, NO_MAPS[what], "status")
    assert frame.score.isna().all()
    assert frame.status.str.contains("captum:Saliency").all()


@pytest.mark.parametrize("name", SHOWN_OTHERS)
@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_images_without_an_answer_make_no_map(name: str, value: float) -> None:
    network = small_network()
    pytest.importorskip({"captum": "captum", "gradcam": "pytorch_grad_cam", "saliency": "saliency"}[name.split(":")[0]])
    fails = replace(network, module=FailsForSome(network.module, REQUEST.images, value, every=1))
    method = made(name)
    assert method.explain(network, REQUEST).isfinite().all()
    assert not method.explain(fails, REQUEST).flatten(1).isfinite().all(1).any()


class _FailsForOne(nn.Module):
    """A network without an answer to images in which the first channel is lower than the second."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images: Tensor) -> Tensor:
        low = images[:, 0].mean((1, 2)) < images[:, 1].mean((1, 2))
        outputs: Tensor = self.inner(images)
        return outputs * torch.where(low[:, None], torch.nan, 1.0)


@pytest.mark.parametrize("name", ["captum:IntegratedGradients", "captum:Lime", "saliency:XRAI", "gradcam:ScoreCAM"])
def test_the_others_keep_their_maps(name: str) -> None:
    network = small_network()
    pytest.importorskip({"captum": "captum", "gradcam": "pytorch_grad_cam", "saliency": "saliency"}[name.split(":")[0]])
    images = REQUEST.images.clone()
    images[:, 0] = images[:, 1] + 1
    images[1, 0] -= 2
    method, request = made(name), REQUEST.with_images(images)
    found = method.explain(replace(network, module=_FailsForOne(network.module)), request).flatten(1)
    assert found.isfinite().all(1).tolist() == [True, False, True]


class _RootOfNothing(nn.Module):
    """Adds the root of nothing to its features, whose gradient is no number."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        layers = list(inner.children())
        self.features, self.head = nn.Sequential(*layers[:6]), nn.Sequential(*layers[6:])

    def forward(self, images: Tensor) -> Tensor:
        features = self.features(images)
        logits: Tensor = self.head(features + (features * 0).abs().sqrt())
        return logits


def test_gradients_that_are_no_numbers_are_not_taken_for_zero() -> None:
    pytest.importorskip("pytorch_grad_cam")
    network = Network(_RootOfNothing(small_network().module).eval())
    assert network.logits(REQUEST.images).isfinite().all()
    assert not made("gradcam:EigenGradCAM").explain(network, REQUEST).isfinite().any()


@pytest.mark.parametrize("name", ["gradcam:GradCAM", "simple_gradient"])
def test_gradients_of_a_training_that_goes_on_are_left_alone(name: str) -> None:
    if name.startswith("gradcam"):
        pytest.importorskip("pytorch_grad_cam")
    module = small_network().module
    for weights in module.parameters():
        weights.grad = torch.ones_like(weights)
    given = [weights.grad for weights in module.parameters()]
    bench.evaluate(module, REQUEST.images, attributions=[name], metrics=["gini"])
    assert all(weights.grad is own for weights, own in zip(module.parameters(), given, strict=True))
    assert all(own is not None and bool((own == 1).all()) for own in given)
