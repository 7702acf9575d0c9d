"""A map hangs on no image of which the network says nothing, and says so by what is no number."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bench.api import Network
from bench.api.registry import find
from bench.checks.fixtures import small_network, small_request
from tests.support.networks import FailsForSome
from tests.support.plugins import quick_attribution

QUICK = {"samples": 40, "masks": 40, "steps": 6, "window": 4, "stride": 4}
METHODS = ("extremal_perturbation", "hsic", "kernel_shap", "lime", "occlusion", "rise", "score_cam", "sobol")


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("name", METHODS)
def test_masked_images_without_an_answer_make_no_map(name: str, value: float) -> None:
    network, request = small_network(), small_request()
    fails = replace(network, module=FailsForSome(network.module, request.images, value))
    method = quick_attribution(name, QUICK)
    assert method.explain(network, request).isfinite().all()
    found = method.explain(fails, request).flatten(1)
    assert not found.isfinite().all(1).any()


class _Scaled(nn.Module):
    def __init__(self, inner: nn.Module, scale: float) -> None:
        super().__init__()
        self.inner, self.scale = inner, scale

    def forward(self, images: Tensor) -> Tensor:
        return self.inner(images) * self.scale


@pytest.mark.parametrize("exponent", [-100, 80])
def test_idgi_shares_out_the_change_of_small_and_large_outputs_alike(exponent: int) -> None:
    plain, request = small_network(), small_request()
    network, request = Network(plain.module.float()), request.with_images(request.images.float())
    scaled = Network(_Scaled(network.module, 2.0**exponent))
    method = find("attributions")["idgi"]()
    maps = method.explain(network, request)
    assert maps.any()
    torch.testing.assert_close(method.explain(scaled, request) / 2.0**exponent, maps, rtol=1e-3, atol=1e-11)


@pytest.mark.parametrize("exponent", [-100, 80])
@pytest.mark.parametrize("name", ["square_grad", "var_grad"])
def test_squares_of_small_and_large_gradients_are_numbers(name: str, exponent: int) -> None:
    plain, request = small_network(), small_request()
    network, request = Network(plain.module.float()), request.with_images(request.images.float())
    scaled = Network(_Scaled(network.module, 2.0**exponent))
    method = find("attributions")[name](samples=4)
    maps = method.explain(network, request)
    assert maps.any()
    torch.testing.assert_close(method.explain(scaled, request) / 2.0 ** (2 * exponent), maps, rtol=1e-3, atol=1e-11)
