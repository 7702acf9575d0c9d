"""An image without an answer, or that is no number, has no map and changes none of the other images of its batch."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network, Request
from bench.api.registry import find
from bench.checks.fixtures import small_network, small_request, small_transformer
from bench.scoring.measure import explained_by
from tests.support.plugins import quick_attribution

QUICK = {"samples": 20, "masks": 20, "steps": 4, "window": 4, "stride": 4}
CONTROLS = sorted(name for name, own in find("attributions").items() if own.control)  # type: ignore[attr-defined]
ATTENTION = ("attention_map", "attention_rollout", "attn_lrp", "chefer_relevance", "gradient_attention", "legrad")
OF_CONVOLUTIONS = sorted(set(find("attributions")) - set(ATTENTION) - set(CONTROLS) - {"lrp"})
OF_TRANSFORMERS = [
    *ATTENTION,
    *(
        "ablation_cam",
        "eigen_cam",
        "grad_cam",
        "grad_cam_plus_plus",
        "hires_cam",
        "layer_cam",
        "score_cam",
        "xgrad_cam",
    ),
]
PAIRS = [(small_network, name) for name in OF_CONVOLUTIONS] + [(small_transformer, name) for name in OF_TRANSFORMERS]


def _others_alike(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]], rtol=1e-9, atol=1e-12)
    assert not found[1].isfinite().any()


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
@pytest.mark.parametrize(("make", "name"), PAIRS)
def test_an_image_that_is_no_number_is_not_explained(make: object, name: str, value: float) -> None:
    network, request, method = make(), small_request(), quick_attribution(name, QUICK)  # type: ignore[operator]
    images = request.images.clone()
    images[1, 0, 3, 3] = value
    _others_alike(method.explain(network, request.with_images(images)), method.explain(network, request))


class _NoAnswer(nn.Module):
    """A network that has no answer to one image."""

    def __init__(self, inner: nn.Module, image: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.register_buffer("image", image)

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.inner(images)
        bad = (images.detach() == self.image).flatten(1).all(1).repeat(len(outputs) // len(images))
        return outputs * torch.where(bad, torch.nan, 1.0)[:, None]


def _without_an_answer(network: Network, request: Request) -> Network:
    return replace(network, module=_NoAnswer(network.module, request.images[1]).eval())


@pytest.mark.parametrize(("make", "name"), PAIRS)
def test_an_image_without_an_answer_is_not_explained(make: object, name: str) -> None:
    network, request, method = make(), small_request(), quick_attribution(name, QUICK)  # type: ignore[operator]
    fails = _without_an_answer(network, request)
    clean = network.logits(request.images).detach()
    expected = explained_by(method, network, request, clean).attributions
    without = fails.logits(request.images).detach()
    _others_alike(explained_by(method, fails, request, without).attributions, expected)


@pytest.mark.parametrize("name", [*ATTENTION[:2], "chefer_relevance", "gradient_attention", "grad_cam", "layer_cam"])
def test_a_changed_image_without_an_answer_changes_no_map_beside_it(name: str) -> None:
    network, request, method = small_transformer(), small_request(), quick_attribution(name, QUICK)
    found = method.explain(_without_an_answer(network, request), request)
    expected = method.explain(network, request)
    torch.testing.assert_close(found[[0, 2]], expected[[0, 2]], rtol=1e-9, atol=1e-12)
