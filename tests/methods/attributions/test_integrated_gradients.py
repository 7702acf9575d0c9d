import numpy as np
import pytest
import torch
from torch import nn

from bench.api import ImageRandom, Network, Request
from bench.methods.attributions.integrated_gradients import IntegratedGradients
from tests.support.maps import as_tensor, golden
from tests.support.networks import relu_network


@pytest.mark.parametrize("pool", ["", "k3_"])
@pytest.mark.parametrize("chunk", [7, 50, 64])
def test_equals_the_published_numbers(pool, chunk):
    arrays = golden("gnl_ig", pool)
    module = relu_network(arrays)
    if pool:
        module[2] = nn.MaxPool2d(3, stride=2, padding=1)
    images = as_tensor(arrays["img"]).double()
    request = Request(images, as_tensor(arrays["target"]), ImageRandom(0, "test", ("a", "b")))
    method = IntegratedGradients()
    attributions = method.explain(Network(module, chunk=chunk), request)
    np.testing.assert_allclose(attributions[..., ::3, ::3], arrays["ig_attr"], rtol=1e-9, atol=1e-14)
    heatmaps = method.heatmaps(attributions)
    scaled = heatmaps / heatmaps.amax((1, 2), keepdim=True)
    np.testing.assert_allclose(scaled[..., ::3, ::3], arrays["ig_heatmap"], rtol=1e-9, atol=1e-12)


def test_attributions_sum_to_the_difference_of_the_logit(network, request_of):
    request = request_of(4)
    attributions = IntegratedGradients(nodes=400, quadrature="middle").explain(network, request)
    with torch.no_grad():
        blank = torch.zeros_like(request.images)
        difference = network.logits_of(request.images, request.targets) - network.logits_of(blank, request.targets)
    torch.testing.assert_close(attributions.sum((1, 2, 3)), difference, rtol=1e-2, atol=1e-3)


def test_equals_captum_in_float32():
    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 3)).eval()
    images = torch.randn(2, 3, 8, 8)
    targets = torch.tensor([0, 2])
    request = Request(images, targets, ImageRandom(0, "test", ("a", "b")))
    theirs = captum.IntegratedGradients(module).attribute(images, target=targets)
    torch.testing.assert_close(IntegratedGradients().explain(Network(module), request), theirs)
